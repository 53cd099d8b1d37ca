// SPDX-License-Identifier: Apache-2.0
/** `peerctl apf`: in a pod VM, takes agent calls from worker nodes and passes them to the kata-agent. */

import { readBuildInfo } from "../lib/cli/build_info.ts";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { apfFlags } from "./apf_flags.ts";

export default defineCommand({
  name: "apf",
  aliases: ["agent-protocol-forwarder"],
  summary: "in a pod VM, take agent calls from worker nodes and pass them to the kata-agent",
  description: `Runs in a pod VM, beside a kata-agent. It takes connections from worker nodes over mutual TLS and joins
each to one of its own to the agent. A container is put into the pod's network namespace on the way; everything else
passes unchanged. Certificates come from the configuration that the worker node wrote, or from files, which are read
again when they change.`,
  flags: apfFlags,
  goStyle: true,
  examples: [
    { text: "As in a pod VM: everything is in /run/peerpod/apf.json", command: "apf" },
    {
      text: "Use certificates that are part of the image",
      command: "apf -ca-cert-file client-ca.crt -cert-file tls.crt -cert-key tls.key",
    },
  ],
  async run({ values, env, output }) {
    if (values.version) {
      const { version, commit } = readBuildInfo();
      output.result(`peerctl ${version} (${commit})`);
      return ExitCode.done;
    }
    // Whoever builds an image asks for the version where there is no /proc, without which node:tls cannot be loaded.
    const { runApf } = await import("./apf_service.ts");
    return await runApf(values, env);
  },
});
