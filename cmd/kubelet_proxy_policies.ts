// SPDX-License-Identifier: Apache-2.0
/** `peerctl kubelet-proxy policies`: prints the policies that come with peerctl. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { READY_POLICIES } from "../lib/kubelet/ready_policies.ts";

export const kubeletProxyPoliciesCommand = defineCommand({
  name: "kubelet-proxy policies",
  summary: "list the policies that come with peerctl, or print one",
  description: "Without a name it lists them. With one it prints the policy, to be written to a file and changed.",
  flags: {},
  positional: {
    name: "NAME",
    help: "the policy to print",
    min: 0,
    max: 1,
    choices: READY_POLICIES.map(({ name }) => name),
  },
  goStyle: false,
  examples: [
    { text: "See what there is", command: "kubelet-proxy policies" },
    { text: "Print one, to begin a policy of your own with", command: "kubelet-proxy policies namespaces" },
  ],
  run({ args, output }) {
    const chosen = READY_POLICIES.find(({ name }) => name === args[0]);
    if (output.format === "json") output.json(chosen ?? { policies: READY_POLICIES });
    else if (chosen !== undefined) output.result(chosen.text.trimEnd());
    else output.table([["NAME", "WHAT IT DOES"], ...READY_POLICIES.map(({ name, summary }) => [name, summary])]);
    return Promise.resolve(ExitCode.done);
  },
});
