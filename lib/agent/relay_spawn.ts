// SPDX-License-Identifier: Apache-2.0
/** Starts relays that outlive their starter: as a unit of their own where that can be had, else as a detached process. */

import { resolve } from "node:path";
import type { Logger } from "@logtape/logtape";
import { toPeerctlError } from "../errors.ts";
import { type Environment, keptEnvironment, spawnDetached } from "../os/detached_process.ts";
import { isSlotTaken } from "./relay_slot.ts";
import { currentUnit, startRelayUnit } from "./relay_unit.ts";

export interface RelayStarter {
  /** Starts a relay in `slot`; resolves when its process has been started, before it answers. */
  start(slot: string): Promise<void>;
  /** What an operator should know about the relays that were started. */
  warnings(): string[];
}

export interface RelayStarterOptions {
  /** The relay directory. */
  readonly dir: string;
  /** `auto` tries systemd-run inside a unit, `spawn` does not. */
  readonly mode: "auto" | "spawn";
  /** How to start peerctl again, program first. */
  readonly selfCommand: readonly string[];
  /** Flags after `-dir` and `-slot`, such as the log level. */
  readonly flags?: readonly string[];
  /** The environment of this process. */
  readonly env: Environment;
  readonly log: Logger;
  /** A relay that was started as a process has ended while we live. */
  onEnd?(slot: string, status: Deno.CommandStatus): void;
  /** For tests; /proc/self/cgroup if absent. */
  readonly cgroupFile?: string;
}

/** Creates a starter; nothing is started yet. */
export function createRelayStarter(options: RelayStarterOptions): RelayStarter {
  const { mode, selfCommand, flags = [], env, log } = options;
  const dir = resolve(options.dir);
  const relayEnv = keptEnvironment(env);
  let warning: string | undefined;

  async function start(slot: string): Promise<void> {
    const command = [...selfCommand, "relay", "-dir", dir, "-slot", slot, ...flags];
    const unit = await currentUnit(env, options.cgroupFile);
    let why = "-relay spawn was asked for";
    if (unit !== undefined && mode === "auto") {
      try {
        await startRelayUnit({ dir, slot, command, env: relayEnv });
        log.info("Relay started as a unit of its own", { slot });
        return;
      } catch (error) {
        // Another caa may have been first; then there is nothing to start, and nothing to warn of.
        if (await isSlotTaken(dir, slot)) return;
        why = toPeerctlError(error).message;
      }
    }
    const child = spawnDetached(command, { env: relayEnv, cwd: "/" });
    log.info("Relay started", { slot, relay_pid: child.pid });
    // Asked for also because a relay that ends before us would stay a zombie otherwise.
    child.status.then((status) => {
      // Not a warning: it may only have lost the slot to another caa's. Its stderr is nowhere, so this is the trace.
      if (!status.success) log.info("Relay process failed", { slot, relay_pid: child.pid, code: status.code });
      options.onEnd?.(slot, status);
    });
    warn(lifeWarning(unit, env, why));
  }

  function warn(text: string | undefined): void {
    if (text !== undefined && text !== warning) log.warn("Relay does not outlive this service", { reason: text });
    warning = text;
  }

  return { start, warnings: () => (warning === undefined ? [] : [warning]) };
}

/** Why pods would not survive the end of what this process is part of; undefined when they would. */
function lifeWarning(unit: string | undefined, env: Environment, why: string): string | undefined {
  if (unit !== undefined) {
    return `the relay runs inside unit "${unit}": when the unit stops, its pods end too (${why}); ` +
      "run the relay as a unit of its own and caa with -relay wait";
  }
  if (env["KUBERNETES_SERVICE_HOST"]) {
    return "the relay runs inside this container: when the container ends, its pods end too; " +
      "run the relay as a DaemonSet of its own and caa with -relay wait";
  }
  return undefined;
}
