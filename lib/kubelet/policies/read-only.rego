# SPDX-License-Identifier: Apache-2.0

# Allows reading only: GET and HEAD, and no stream. Exec, attach, run and port-forward are denied by any method, for
# kubelets take GET for them, too.
package kubelet.policy

import rego.v1

reading_methods := {"GET", "HEAD"}

changing_actions := {"exec", "attach", "run", "port_forward"}

deny contains reason if {
	not input.method in reading_methods
	reason := "only reading is allowed on this node"
}

deny contains reason if {
	input.action in changing_actions
	reason := "only reading is allowed on this node"
}

deny contains reason if {
	input.upgrade != "none"
	reason := "only reading is allowed on this node"
}
