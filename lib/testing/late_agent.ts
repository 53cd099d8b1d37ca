// SPDX-License-Identifier: Apache-2.0
/** A stand-in agent that listens at once and answers only when it may: `late_agent.ts <socket> <dir> <gate>`. */

import net from "node:net";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { startStandInAgent } from "../provider/process/stand_in_agent/stand_in_agent.ts";
import { VM_MARKER_NAME } from "../provider/process/process_identity.ts";

/** How often the gate is looked for, in milliseconds. */
const LOOK_MS = 20;

if (import.meta.main) {
  const [socket = "", dir = "", gate = ""] = Deno.args;
  const socketPath = join(dir, "late.sock");
  const log = getLogger(["peerctl", "test"]);
  await startStandInAgent({ socketPath, dir, marker: Deno.env.get(VM_MARKER_NAME), log });
  net.createServer(async (client) => {
    client.on("error", () => {});
    while (!(await Deno.stat(gate).then(() => true, () => false))) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const agent = net.connect(socketPath).on("error", () => client.destroy());
    client.on("close", () => agent.destroy());
    agent.on("close", () => client.destroy());
    client.pipe(agent).pipe(client);
  }).listen(socket);
}
