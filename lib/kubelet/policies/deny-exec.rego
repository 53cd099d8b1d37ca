# SPDX-License-Identifier: Apache-2.0

# Denies everything that runs or reaches into a container: exec, attach, run and port-forward, by any method and any
# protocol. Everything else passes.
package kubelet.policy

import rego.v1

intrusive_actions := {"exec", "attach", "run", "port_forward"}

deny contains reason if {
	input.action in intrusive_actions
	reason := sprintf("%s is not allowed on this node", [input.action])
}
