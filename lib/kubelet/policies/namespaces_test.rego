# SPDX-License-Identifier: Apache-2.0
package kubelet.policy_test

import rego.v1

import data.kubelet.policy

pod_request(action, namespace) := {
	"action": action,
	"namespace": namespace,
	"pod": "web",
	"container": "app",
}

node_request(action) := {"action": action, "namespace": "", "pod": "", "container": ""}

test_a_listed_namespace_passes if {
	every action in {"exec", "logs", "attach", "port_forward"} {
		count(policy.deny) == 0 with input as pod_request(action, "default")
	}
}

test_any_other_namespace_is_denied if {
	every action in {"exec", "logs", "attach", "port_forward"} {
		count(policy.deny) == 1 with input as pod_request(action, "kube-system")
	}
}

test_the_list_can_be_changed if {
	count(policy.deny) == 0 with input as pod_request("logs", "team-a") with policy.allowed_namespaces as {"team-a"}
	count(policy.deny) == 1 with input as pod_request("logs", "default") with policy.allowed_namespaces as {"team-a"}
}

test_names_are_compared_whole if {
	count(policy.deny) == 1 with input as pod_request("logs", "default2")
	count(policy.deny) == 1 with input as pod_request("logs", "DEFAULT")
}

test_health_metrics_and_stats_of_the_node_pass if {
	every action in {"health", "metrics", "stats"} {
		count(policy.deny) == 0 with input as node_request(action)
	}
}

test_what_shows_every_namespace_is_denied if {
	every action in {"pods", "other", "exec"} {
		count(policy.deny) == 1 with input as node_request(action)
	}
}
