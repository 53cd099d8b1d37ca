# SPDX-License-Identifier: Apache-2.0
package kubelet.policy_test

import rego.v1

import data.kubelet.policy

request(method, action, upgrade) := {"method": method, "action": action, "upgrade": upgrade}

test_reading_passes if {
	every method in {"GET", "HEAD"} {
		every action in {"logs", "pods", "stats", "metrics", "health", "other"} {
			count(policy.deny) == 0 with input as request(method, action, "none")
		}
	}
}

test_other_methods_are_denied if {
	every method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		count(policy.deny) == 1 with input as request(method, "other", "none")
	}
}

test_exec_by_get_is_denied if {
	every action in {"exec", "attach", "run", "port_forward"} {
		count(policy.deny) == 1 with input as request("GET", action, "none")
	}
}

test_streams_are_denied if {
	count(policy.deny) == 1 with input as request("GET", "other", "websocket")
	count(policy.deny) == 1 with input as request("GET", "exec", "spdy")
}
