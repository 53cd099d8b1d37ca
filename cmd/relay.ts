// SPDX-License-Identifier: Apache-2.0
/** `peerctl relay`: holds agent sockets and the connections to pod VMs, so that running pods outlive a restart of caa. */

import { resolve } from "node:path";
import { startRelay } from "../lib/agent/relay_server.ts";
import { MAX_SLOT, takeRelaySlot } from "../lib/agent/relay_slot.ts";
import { buildName } from "../lib/cli/build_info.ts";
import { defineCommand } from "../lib/cli/command.ts";
import { boolFlag, intFlag, stringFlag } from "../lib/cli/flags.ts";
import { configureLogging, logFlags } from "../lib/daemon/logging.ts";
import { runDaemon } from "../lib/daemon/run.ts";
import { relayDrainCommand } from "./relay_drain.ts";
import { dirFlag } from "./relay_flags.ts";
import { relayListCommand } from "./relay_list.ts";

/** Size at which a relay's log becomes `relay.log.1`, in bytes: the two together are what a tmpfs can spare. */
const LOG_MAX_BYTES = 2 * 1024 * 1024;

const flags = {
  dir: dirFlag,
  slot: intFlag("slot", {
    default: 0,
    min: 0,
    max: MAX_SLOT,
    help: "number of this relay; no two in one folder may have the same",
  }),
  stay: boolFlag("stay", {
    help: "live on without sandboxes and without caa, and log to stderr: for a unit of its own",
  }),
  directVolumesDir: stringFlag("direct-volumes-dir", {
    placeholder: "DIR",
    help: "where kata describes direct volumes, if not in its own place",
  }),
  ...logFlags,
};

export default defineCommand({
  name: "relay",
  summary: "carry agent connections to pod VMs, for caa",
  description:
    `Holds the agent sockets and the connections to pod VMs for caa, which tells it what to open and close over a
control socket. caa starts one when none runs; it ends within three seconds of its last sandbox. As a unit of its own it
runs with -stay, and caa with -relay wait. When a relay is stopped, the pods it carries end.

Without -stay and -log-file it logs to relay.log in the folder of its slot.`,
  flags,
  subcommands: [relayListCommand, relayDrainCommand],
  goStyle: true,
  examples: [
    { text: "Run as a service, for caa -relay wait", command: "relay -stay" },
    { text: "Run a second one to share the load", command: "relay -stay -slot 1" },
  ],
  async run({ values, env }) {
    using slot = await takeRelaySlot(resolve(values.dir), `${values.slot}`);
    const file = values.logFile !== "" ? values.logFile : values.stay ? undefined : slot.paths.log;
    const log = await configureLogging({
      command: "relay",
      level: values.logLevel,
      format: values.logFormat,
      ...(file !== undefined && { file: { path: file, maxBytes: LOG_MAX_BYTES } }),
    });
    const build = buildName();
    const { stay, directVolumesDir } = values;
    return await runDaemon({
      command: "relay",
      log,
      env,
      start: (signal) =>
        startRelay({ slot, stay, build, log, signal, ...(directVolumesDir !== "" && { directVolumesDir }) }),
    });
  },
});
