# SPDX-License-Identifier: Apache-2.0

# Allows requests for pods of the namespaces listed here only. Requests for the node as a whole show something of every
# namespace; of them only health, metrics and stats pass.
package kubelet.policy

import rego.v1

# To be changed.
allowed_namespaces := {"default"}

node_actions := {"health", "metrics", "stats"}

deny contains reason if {
	input.namespace != ""
	not input.namespace in allowed_namespaces
	reason := sprintf("namespace %s is not one of those allowed on this node", [input.namespace])
}

deny contains reason if {
	input.namespace == ""
	not input.action in node_actions
	reason := "requests for pods of all namespaces, or none, are not allowed on this node"
}
