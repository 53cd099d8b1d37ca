// SPDX-License-Identifier: Apache-2.0
/** Ends every process that carries a marker, however often it forked and wherever it went. */

import { setTimeout as delay } from "node:timers/promises";
import { PeerctlError } from "../../errors.ts";
import { findMarked, isRunningMarked, type Marker, type ProcessIdentity, signalProcess } from "./process_identity.ts";

/** Scans in a row that must find nothing: a process that is in the middle of exec shows no environment. */
const EMPTY_SCANS = 2;

/** Between two scans, in milliseconds: time for a kill to work and for an exec to finish. */
const SCAN_GAP_MS = 10;

/** How long ending may take as a whole, in milliseconds: a killed process may be stuck in the kernel. */
const DEFAULT_LIMIT_MS = 30_000;

export interface EndOptions {
  /** Processes that may end by themselves first: they get SIGTERM. */
  readonly polite?: readonly ProcessIdentity[];
  /** How long those have before everything is killed, in milliseconds. */
  readonly politeMs?: number;
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Kills all that carries `marker` until two scans in a row find nothing; a zombie counts as gone.
 *
 * Forking and leaving the session do not help a process; giving itself another environment by exec does, unless it is a
 * child that its parent ends by the pid.
 *
 * @throws {PeerctlError} kind "state" when some are still there after the limit; what `signal` was aborted with.
 */
export async function endMarked(marker: Marker, o: EndOptions = {}): Promise<void> {
  const limitMs = o.limitMs ?? DEFAULT_LIMIT_MS;
  const until = performance.now() + limitMs;
  await askToEnd(marker, o.polite ?? [], Math.min(o.politeMs ?? 0, limitMs), o.signal);
  for (let empty = 0; empty < EMPTY_SCANS;) {
    o.signal?.throwIfAborted();
    const found = await findMarked(marker);
    empty = found.length === 0 ? empty + 1 : 0;
    for (const process of found) signalProcess(process, "SIGKILL");
    if (empty === EMPTY_SCANS) return;
    if (found.length > 0 && performance.now() > until) {
      const pids = found.map((process) => process.pid).join(", ");
      throw new PeerctlError("state", `Cannot end processes ${pids}: they still run after ${limitMs} ms of SIGKILL`, {
        hint: "a process that waits in the kernel or belongs to another user cannot be killed from here",
      });
    }
    await delay(SCAN_GAP_MS);
  }
}

async function askToEnd(
  marker: Marker,
  processes: readonly ProcessIdentity[],
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const until = performance.now() + limitMs;
  let left: ProcessIdentity[] = [];
  for (const process of processes) {
    if (await isRunningMarked(process, marker) && signalProcess(process, "SIGTERM")) left.push(process);
  }
  while (left.length > 0 && performance.now() < until) {
    signal?.throwIfAborted();
    await delay(SCAN_GAP_MS);
    const still = await Promise.all(left.map((process) => isRunningMarked(process, marker)));
    left = left.filter((_, i) => still[i]);
  }
}
