# SPDX-License-Identifier: Apache-2.0
package kubelet.policy_test

import rego.v1

import data.kubelet.policy

test_intrusive_actions_are_denied if {
	every action in {"exec", "attach", "run", "port_forward"} {
		every method in {"GET", "POST"} {
			count(policy.deny) == 1 with input as {"action": action, "method": method}
		}
	}
}

test_the_reason_names_the_action if {
	policy.deny == {"exec is not allowed on this node"} with input as {"action": "exec"}
}

test_everything_else_passes if {
	every action in {"logs", "pods", "stats", "metrics", "health", "other"} {
		count(policy.deny) == 0 with input as {"action": action, "method": "GET"}
	}
}
