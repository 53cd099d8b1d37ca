# SPDX-License-Identifier: Apache-2.0
package kubelet.policy_test

import rego.v1

import data.kubelet.policy

exec_of(command) := {"action": "exec", "method": "POST", "command": command}

test_a_listed_command_passes if {
	count(policy.deny) == 0 with input as exec_of(["ls", "-l"])
	count(policy.deny) == 0 with input as exec_of(["cat", "/etc/hostname"])
}

test_another_command_is_denied if {
	count(policy.deny) == 1 with input as exec_of(["sh"])
	count(policy.deny) == 1 with input as exec_of([])
}

test_commands_are_compared_whole if {
	count(policy.deny) == 1 with input as exec_of(["ls"])
	count(policy.deny) == 1 with input as exec_of(["ls", "-l", "/"])
	count(policy.deny) == 1 with input as exec_of(["ls -l"])
	count(policy.deny) == 1 with input as exec_of(["-l", "ls"])
}

test_what_cannot_be_judged_is_denied if {
	every action in {"attach", "run", "port_forward"} {
		count(policy.deny) == 1 with input as {"action": action, "command": ["ls", "-l"]}
	}
}

test_everything_else_passes if {
	every action in {"logs", "pods", "stats", "metrics", "health", "other"} {
		count(policy.deny) == 0 with input as {"action": action, "command": []}
	}
}
