// SPDX-License-Identifier: Apache-2.0
/** `peerctl caa forget`: gives up deleting the instances of a sandbox. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { PeerctlError } from "../lib/errors.ts";
import { askCaa, CAA_TIMEOUT_MS } from "./caa_client.ts";
import { caaFlags } from "./caa_flags.ts";

export const caaForgetCommand = defineCommand({
  name: "caa forget",
  summary: "give up deleting the instances of a sandbox",
  description: `Tells the caa that runs on this machine to try no longer to delete what is left of a sandbox, because
it is gone or somebody else sees to it. An instance that the provider still has is left alone from then on, also after a
restart.`,
  flags: { socket: caaFlags.socket },
  positional: { name: "SANDBOX", help: 'sandbox id, as "peerctl caa status" shows it', min: 1, max: 1 },
  goStyle: false,
  examples: [{ text: "After its VM was deleted by hand", command: "caa forget 0f3c9e" }],
  async run({ values, args, output }) {
    const sandboxId = args[0] ?? "";
    const { forgotten } = await askCaa(
      values.socket,
      (caa) => caa.forget({ sandboxId }, { timeoutMs: CAA_TIMEOUT_MS }),
    );
    if (forgotten === 0) {
      throw new PeerctlError("state", `Cannot forget sandbox "${sandboxId}": nothing of it is left to be deleted`, {
        hint: '"peerctl caa status" shows what is',
      });
    }
    if (output.format === "json") output.json({ sandbox: sandboxId, forgotten });
    else output.result(`gave up ${forgotten === 1 ? "1 instance" : `${forgotten} instances`} of sandbox ${sandboxId}`);
    return ExitCode.done;
  },
});
