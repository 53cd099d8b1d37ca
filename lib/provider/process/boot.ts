// SPDX-License-Identifier: Apache-2.0
/** Boots a pod VM: fills its folder as cloud-init would fill the guest's, and starts what runs in the guest. */

import type { Logger } from "@logtape/logtape";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PeerctlError } from "../../errors.ts";
import { parseUserData } from "../../guest/user_data.ts";
import { writePrivateFile } from "../../os/private_file.ts";
import type { Environment } from "../../os/detached_process.ts";
import { fillAgentCommand } from "./agent_command.ts";
import { isListening } from "./loopback_address.ts";
import { launch, type Launched } from "./launch.ts";
import { isRunning, isRunningMarked, type Marker } from "./process_identity.ts";

/** Where the agent of the pod VM in this folder listens. */
export const agentSocketOf = (folder: string): string => join(folder, "agent.sock");

/** How long agent and forwarder may take until they listen, in milliseconds; after that the relay waits for them. */
const START_MS = 10_000;
const POLL_MS = 10;
/** How often a process is looked at before it counts as having dropped its marker. */
const MARKER_LOOKS = 5;

/** How much of the end of a log is looked at for the reason of an early end, in bytes. */
const TAIL_BYTES = 4096;

/** A network namespace path is only put into requests; the stand-in agent does not join it. */
const POD_NAMESPACE = "/run/netns/podns";

export interface BootOptions {
  readonly folder: string;
  readonly name: string;
  readonly userData: string;
  readonly marker: Marker;
  /** Where the forwarder listens. */
  readonly address: string;
  readonly port: number;
  readonly selfCommand: readonly string[];
  /** Empty for the stand-in agent. */
  readonly agentCommand: readonly string[];
  /** More flags for the forwarder. */
  readonly forwarderFlags: readonly string[];
  /** Empty for `peerctl apf`. */
  readonly forwarderCommand: readonly string[];
  readonly env: Environment;
  readonly log: Logger;
}

export interface StartedProcess extends Launched {
  readonly role: "agent" | "forwarder";
}

/**
 * Writes the user data and the files it names, readable by us alone, as the guest finds them in /run/peerpod.
 *
 * @throws {PeerctlError} kind "config" or "limit" when the user data cannot be used.
 */
export async function provision(folder: string, userData: string): Promise<void> {
  const files = parseUserData(userData);
  await writePrivateFile(join(folder, "user-data"), userData);
  for (const { path, content } of files) await writePrivateFile(join(folder, basename(path)), content);
}

/** Starts the agent and the forwarder; what was started is the caller's to end, also when the second one fails. */
export function startProcesses(o: BootOptions, onStarted: (process: StartedProcess) => void): void {
  const socket = agentSocketOf(o.folder);
  const agent = o.agentCommand.length === 0
    ? [
      ...o.selfCommand,
      "stand-in-agent",
      "-listen",
      socket,
      "-dir",
      join(o.folder, "agent"),
      "-log-file",
      logOf(o, "agent"),
    ]
    : fillAgentCommand(o.agentCommand, { socket, dir: o.folder });
  const isOwn = o.forwarderCommand.length === 0;
  const forwarder = [
    ...(isOwn ? [...o.selfCommand, "apf"] : o.forwarderCommand),
    "-config",
    join(o.folder, "apf.json"),
    "-listen",
    `${o.address}:${o.port}`,
    "-kata-agent-socket",
    socket,
    "-pod-namespace",
    POD_NAMESPACE,
    ...(isOwn ? ["-log-file", logOf(o, "forwarder")] : []),
    ...o.forwarderFlags,
  ];
  const how = { env: o.env, marker: o.marker, cwd: o.folder };
  onStarted({ role: "agent", ...launch(agent, how) });
  onStarted({ role: "forwarder", ...launch(forwarder, how) });
}

/**
 * Waits until both listen, so that a wrong command is reported now and with its reason, not later as an unreachable VM.
 *
 * @throws {PeerctlError} kind "config" when the agent or the forwarder ended; what `signal` was aborted with.
 */
export async function waitForStart(
  o: BootOptions,
  processes: readonly StartedProcess[],
  signal: AbortSignal,
): Promise<void> {
  let early: { role: StartedProcess["role"]; code: number } | undefined;
  for (const { role, ended } of processes) ended.then(({ code }) => early ??= { role, code });
  for (const until = performance.now() + START_MS; performance.now() < until; await delay(POLL_MS)) {
    signal.throwIfAborted();
    if (early) throw await earlyEnd(o, early);
    if (await isThere(agentSocketOf(o.folder)) && await isListening(o.address, o.port)) {
      return await refuseWithoutMarker(o, processes);
    }
  }
  o.log.warn("Pod VM does not listen yet", { waited_ms: START_MS });
}

/** Without the marker an agent could not be found again by a caa that did not start it. */
async function refuseWithoutMarker(o: BootOptions, processes: readonly StartedProcess[]): Promise<void> {
  for (const { role, identity } of processes) {
    let hasMarker = false;
    // Not at the first look: in the middle of exec a process shows no environment.
    for (let look = 0; look < MARKER_LOOKS && !hasMarker; look++) {
      if (look > 0) await delay(POLL_MS);
      hasMarker = await isRunningMarked(identity, o.marker);
    }
    if (!hasMarker && isRunning(identity)) {
      const name = o.marker.split("=")[0];
      throw new PeerctlError("config", `Cannot start pod VM "${o.name}": its ${role} dropped ${name}`, {
        hint: "have -agent-command keep its environment (sudo and env -i do not)",
      });
    }
  }
}

async function earlyEnd(o: BootOptions, end: { role: StartedProcess["role"]; code: number }): Promise<PeerctlError> {
  const lastWords = await lastLogLine(logOf(o, end.role));
  return new PeerctlError(
    "config",
    `Cannot start pod VM "${o.name}": its ${end.role} ended with exit code ${end.code}`,
    lastWords === undefined ? {} : { hint: `its last words: ${lastWords}` },
  );
}

const logOf = (o: BootOptions, role: StartedProcess["role"]): string => join(o.folder, `${role}.log`);

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Our own commands say in the last line of their log why they ended; an agent of the user's has no log here. */
async function lastLogLine(path: string): Promise<string | undefined> {
  try {
    const text = await Deno.readTextFile(path);
    return text.slice(-TAIL_BYTES).trimEnd().split("\n").at(-1) || undefined;
  } catch {
    return undefined;
  }
}
