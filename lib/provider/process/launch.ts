// SPDX-License-Identifier: Apache-2.0
/** Starts processes that outlive us: in a session of their own, without our stdio and with hardly any of our environment. */

import { delimiter, join } from "node:path";
import { PeerctlError } from "../../errors.ts";
import { type Environment, keptEnvironment, spawnDetached } from "../../os/detached_process.ts";
import { identifyProcess, type Marker, type ProcessIdentity } from "./process_identity.ts";

/** Where programs are looked for without PATH, as execvp(3) does. */
const DEFAULT_PATH = "/bin:/usr/bin";

export interface Launched {
  readonly identity: ProcessIdentity;
  /** Resolves when it ended, if we still live then: waiting for it does not keep us alive. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Waits for its end and keeps us alive until then; it then is no zombie any more. */
  reap(): Promise<Deno.CommandStatus>;
}

/**
 * Starts `command` with the marker in its environment.
 *
 * @throws {PeerctlError} kind "config" when the program cannot be started.
 */
export function launch(command: readonly string[], o: { env: Environment; marker: Marker; cwd: string }): Launched {
  const at = o.marker.indexOf("=");
  const marker = { [o.marker.slice(0, at)]: o.marker.slice(at + 1) };
  const child = spawnDetached(command, { env: { ...keptEnvironment(o.env), ...marker }, cwd: o.cwd });
  // Read before anything is awaited: until then even a process that ended at once is there, as a zombie.
  const identity = identifyProcess(child.pid) ?? { pid: child.pid, startTime: "0" };
  return {
    identity,
    ended: child.status,
    reap() {
      child.ref();
      return child.status;
    },
  };
}

/**
 * Finds the file that `program` would run.
 *
 * @throws {PeerctlError} kind "config" when there is none, or it may not be executed.
 */
export async function findProgram(program: string, env: Environment): Promise<string> {
  const candidates = program.includes("/")
    ? [program]
    : (env.PATH || DEFAULT_PATH).split(delimiter).map((directory) => join(directory, program));
  let why = "there is no such file";
  for (const path of candidates) {
    try {
      const { isFile, mode } = await Deno.stat(path);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return path;
      why = isFile ? "it is not executable" : "it is not a file";
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) why = "it cannot be read";
    }
  }
  throw new PeerctlError("config", `Cannot run "${program}": ${why}`);
}
