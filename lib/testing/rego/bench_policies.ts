// SPDX-License-Identifier: Apache-2.0
/** The policies that lib/rego is measured by: a small one, one of 200 rules, and a large one of kata's kind. */

export interface BenchPolicy {
  readonly name: string;
  readonly module: string;
  /** JSON text. */
  readonly data: string;
  /** What is decided: a rule's reference. */
  readonly query: string;
  /** JSON texts, asked in turn. */
  readonly inputs: readonly string[];
}

/** Rules in the middle policy. */
const RULES = 200;

/** Containers that the large policy's data describes, and environment variables and mounts of each. */
const CONTAINERS = 12;
const VARIABLES = 20;
const MOUNTS = 10;

/** Lines that make the large policy as long as kata's (about 1,800). */
const LARGE_LINES = 1_800;

export const benchPolicies: readonly BenchPolicy[] = [smallPolicy(), middlePolicy(), largePolicy()];

/** Denies exec, attach and portForward by the path's beginning. */
function smallPolicy(): BenchPolicy {
  const rules = ["exec", "attach", "portForward"].map((word) => `
deny contains msg if {
	startswith(input.path, "/${word}/")
	msg := sprintf("${word} is not allowed in %s", [input.namespace])
}
`);
  return {
    name: "small, 3 rules",
    module: `package kubelet\n${rules.join("")}`,
    data: "{}",
    query: "data.kubelet.deny",
    inputs: ["/exec/default/web/nginx", "/containerLogs/default/web/nginx", "/portForward/kube-system/dns", "/pods"]
      .map(
        (path) => JSON.stringify({ method: "GET", path, namespace: "default", user: { name: "kube-apiserver" } }),
      ),
  };
}

/** One rule for each of many resources, a team's name and a prefix. */
function middlePolicy(): BenchPolicy {
  const rules = Array.from({ length: RULES }, (_, i) => `
deny contains msg if {
	input.resource == "resource-${i % 50}"
	input.verb == "${["get", "list", "watch", "create", "delete"][i % 5]}"
	not startswith(input.namespace, "team-${i}-")
	some group in input.user.groups
	group in data.limited["resource-${i % 50}"]
	msg := sprintf("%s: rule ${i} denies %s", [group, input.verb])
}
`);
  const limited = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`resource-${i}`, ["interns", `group-${i}`]]),
  );
  return {
    name: `middle, ${RULES} rules`,
    module: `package rules\n${rules.join("")}`,
    data: JSON.stringify({ limited }),
    query: "data.rules.deny",
    inputs: Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({
        resource: `resource-${i * 3 % 60}`,
        verb: ["get", "list", "watch", "create", "delete"][i % 5],
        namespace: `team-${i * 10}-a`,
        user: { name: `user-${i}`, groups: ["authenticated", i % 2 === 0 ? "interns" : "staff"] },
      })),
  };
}

/** Compares a request to create a container with the containers that are allowed: every field, variable and mount. */
function largePolicy(): BenchPolicy {
  const checks = `package agent

import data.policy.common
import data.policy.containers

default allow := false

allow if {
	some container in containers
	allow_process(container.process, input.process)
	allow_mounts(container.mounts, input.mounts)
	allow_annotations(container.annotations, input.annotations)
	container.root.readonly == input.root.readonly
	startswith(input.root.path, concat("/", [common.root_path, input.id]))
}

allow_process(want, got) if {
	want.terminal == got.terminal
	want.cwd == got.cwd
	allow_user(want.user, got.user)
	count(want.args) == count(got.args)
	every i, arg in got.args {
		allow_arg(want.args[i], arg)
	}
	every variable in got.env {
		allow_variable(want.env, variable)
	}
	every capability in got.capabilities {
		capability in common.capabilities
	}
}

allow_user(want, got) if {
	want.uid == got.uid
	want.gid == got.gid
	{group | some group in want.additional} == {group | some group in got.additional}
}

allow_arg(want, got) if want == got

allow_arg(want, got) if {
	startswith(want, "^")
	regex.match(want, got)
}

allow_variable(wants, got) if got in wants

allow_variable(_, got) if {
	some pattern in common.variables
	regex.match(pattern, got)
}

allow_mounts(wants, gots) if {
	every got in gots {
		some want in wants
		want.destination == got.destination
		want.type == got.type
		allow_source(want, got)
		{option | some option in want.options} == {option | some option in got.options}
	}
}

allow_source(want, got) if want.source == got.source

allow_source(want, got) if {
	pattern := replace(want.source, "$(id)", input.id)
	regex.match(pattern, got.source)
}

allow_annotations(wants, gots) if {
	every name, value in gots {
		allow_annotation(wants, name, value)
	}
}

allow_annotation(wants, name, value) if wants[name] == value

allow_annotation(_, name, value) if {
	startswith(name, "io.kubernetes.cri.sandbox-")
	regex.match("^[a-z0-9.-]{1,128}$", trim_prefix(value, "sandbox:"))
}
`;
  // Requests of other kinds, of which one call looks at none.
  const other = (i: number) => `
default request_${i} := false

request_${i} if {
	input.kind == "request-${i}"
	every path in input.paths {
		regex.match("^/run/kata/[a-z0-9]{1,64}/${i}$", path)
	}
	count(input.options) == ${i}
}
`;
  const lines = (text: string) => text.split("\n").length;
  const fillers: string[] = [];
  for (let i = 0, n = lines(checks); n < LARGE_LINES; i++, n += lines(other(i)) - 1) fillers.push(other(i));
  const containers = Array.from({ length: CONTAINERS }, (_, i) => container(i));
  const common = {
    root_path: "/run/kata-containers",
    capabilities: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"],
    variables: [
      "^HOSTNAME=[a-z0-9-]+$",
      "^[A-Z0-9_]+_SERVICE_HOST=[0-9.]+$",
      "^[A-Z0-9_]+_PORT(_[0-9]+)?=[a-z0-9:/.]+$",
    ],
  };
  return {
    name: `large, ${LARGE_LINES} lines`,
    module: checks + fillers.join(""),
    data: JSON.stringify({ policy: { common, containers } }),
    query: "data.agent.allow",
    inputs: [0, CONTAINERS - 1, CONTAINERS].map((i) => JSON.stringify(request(i))),
  };
}

function container(i: number) {
  return {
    process: {
      terminal: false,
      cwd: "/",
      user: { uid: 1000 + i, gid: 1000, additional: [1000, 2000, 3000] },
      args: ["/usr/bin/server", `--port=${8000 + i}`, "^--node=[a-z0-9-]+$"],
      env: Array.from({ length: VARIABLES }, (_, k) => `VARIABLE_${k}=value-${i}-${k}`),
    },
    mounts: Array.from({ length: MOUNTS }, (_, k) => ({
      destination: `/mnt/${k}`,
      type: "bind",
      source: k % 2 === 0 ? `/volumes/${i}/${k}` : `^/run/kata-containers/$(id)/volumes/${k}-[a-z0-9]+$`,
      options: ["rbind", "rprivate", k % 3 === 0 ? "ro" : "rw"],
    })),
    annotations: { "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.image-name": `image-${i}` },
    root: { readonly: true },
  };
}

/** A request for container `i`; there is none for the last one. */
function request(i: number) {
  const { process, mounts, annotations, root } = container(i);
  const id = `0123456789abcdef${i}`;
  return {
    id,
    process: {
      ...process,
      args: [...process.args.slice(0, 2), "--node=worker-1"],
      env: [...process.env, "HOSTNAME=web-1", "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_PORT=tcp://10.0.0.1:443"],
      capabilities: ["CAP_CHOWN", "CAP_KILL"],
    },
    mounts: mounts.map((mount, k) => ({
      ...mount,
      source: k % 2 === 0 ? mount.source : `/run/kata-containers/${id}/volumes/${k}-abc123`,
    })),
    annotations: { ...annotations, "io.kubernetes.cri.sandbox-name": "sandbox:web-1" },
    root: { ...root, path: `/run/kata-containers/${id}/rootfs` },
  };
}
