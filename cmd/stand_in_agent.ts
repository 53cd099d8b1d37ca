// SPDX-License-Identifier: Apache-2.0
/** `peerctl stand-in-agent`: answers the kata agent API in place of a kata-agent, without isolating anything. */

import { defineCommand } from "../lib/cli/command.ts";
import { stringFlag } from "../lib/cli/flags.ts";
import { configureLogging, logFlags } from "../lib/daemon/logging.ts";
import { runDaemon } from "../lib/daemon/run.ts";
import { VM_MARKER_NAME } from "../lib/provider/process/process_identity.ts";
import { startStandInAgent } from "../lib/provider/process/stand_in_agent/stand_in_agent.ts";

const COMMAND = "stand-in-agent";

export default defineCommand({
  name: COMMAND,
  summary: "stand in for a kata-agent: run containers as plain processes, without isolation",
  description:
    `This is NOT a kata-agent. It answers the kata agent API on a unix socket, so that the way to an agent can be tried out and
tested on any Linux machine, and runs what a container's process says as a child process of this machine: no image, no
root file system, no namespaces, no limits, no policy. Files sent to it land in a folder of its own and nowhere else.

caa starts one for each pod VM of the provider "process" unless -agent-command names a real agent.`,
  goStyle: true,
  hidden: true,
  flags: {
    listen: stringFlag("listen", {
      required: true,
      placeholder: "SOCKET",
      help: "unix socket to answer the agent API on",
    }),
    dir: stringFlag("dir", {
      required: true,
      placeholder: "DIR",
      help: "folder for the files that are sent; made if missing",
    }),
    ...logFlags,
  },
  examples: [
    {
      text: "Answer the agent API by hand, to point a client or apf -kata-agent-socket at it",
      command: "stand-in-agent -listen /run/peerctl/agent.sock -dir /run/peerctl/agent",
    },
  ],
  async run({ values, env }) {
    const log = await configureLogging({
      command: COMMAND,
      level: values.logLevel,
      format: values.logFormat,
      ...(values.logFile === "" ? {} : { file: { path: values.logFile } }),
    });
    return await runDaemon({
      command: COMMAND,
      log,
      env,
      start: () => startStandInAgent({ socketPath: values.listen, dir: values.dir, marker: env[VM_MARKER_NAME], log }),
    });
  },
});
