// SPDX-License-Identifier: Apache-2.0
/** Sees to it that there is a relay to place a sandbox on: starts one, or waits for the one that a unit starts. */

import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import type { LiveRelay, RelayScan } from "./relay_scan.ts";
import { isSlotTaken } from "./relay_slot.ts";
import type { RelayStarter } from "./relay_spawn.ts";

/** Start one unless one runs, or wait for what a unit starts; how one is started is the starter's affair. */
export type RelayMode = "auto" | "spawn" | "wait";

export interface RelayPoolTiming {
  /** How long `open` waits for a relay that somebody else starts, in milliseconds. */
  readonly waitMs: number;
  /** How long a relay that we start may take to answer, in milliseconds. */
  readonly startMs: number;
  /** How long after a start a slot that nobody has taken is started again, in milliseconds. */
  readonly restartMs: number;
  /** How often a relay that is to come is looked for, in milliseconds. */
  readonly pollMs: number;
}

export const DEFAULT_POOL_TIMING: RelayPoolTiming = { waitMs: 30_000, startMs: 20_000, restartMs: 3_000, pollMs: 25 };

/**
 * How long a relay that was started is still waited for when caa stops, in milliseconds: one that was greeted ends soon,
 * one that nobody greets would wait for its first caa.
 */
const LAST_MEETING_MS = 5_000;

export interface RelayLaunch {
  /**
   * Resolves when a relay answers that takes new sandboxes.
   *
   * @throws {PeerctlError} kind "peer" when none came in time, "closed" when `signal` aborts.
   */
  someRelay(signal: AbortSignal): Promise<void>;
  /** Starts one more; undefined, with a warning in the log, when that fails. */
  anotherRelay(signal: AbortSignal): Promise<LiveRelay | undefined>;
  /** What an operator should know. */
  warnings(): string[];
  /** Gives up what is waited for, and meets what was started: nobody else knows of it yet. */
  stop(): Promise<void>;
}

export interface RelayLaunchOptions {
  readonly dir: string;
  readonly mode: RelayMode;
  readonly scan: RelayScan;
  readonly starter: RelayStarter;
  readonly log: Logger;
  readonly timing: RelayPoolTiming;
}

/** Creates it; nothing is started before it is asked for. */
export function createRelayLaunch(options: RelayLaunchOptions): RelayLaunch {
  const { dir, mode, scan, starter, log, timing } = options;
  const stopping = new AbortController();
  const starting = new Map<string, Promise<void>>();
  let isWaiting = false;
  /** Until when what was started is waited for although we stop. */
  let lastMeetingAt = Infinity;

  const hasRelay = () => scan.live().some(({ isDraining }) => !isDraining);

  async function someRelay(signal: AbortSignal): Promise<void> {
    const timeoutMs = mode === "wait" ? timing.waitMs : timing.startMs;
    const deadline = performance.now() + timeoutMs;
    const either = AbortSignal.any([signal, stopping.signal]);
    await scan.look();
    while (!hasRelay()) {
      if (performance.now() > deadline) throw noRelay(`none answered within ${timeoutMs} ms`);
      if (mode === "wait") await waitALittle(either);
      else await start(scan.freeSlot(), either);
      await scan.look();
    }
    isWaiting = false;
  }

  async function waitALittle(signal: AbortSignal): Promise<void> {
    if (!isWaiting) log.info("Waiting for a relay", { dir });
    isWaiting = true;
    await pause(timing.pollMs, signal);
  }

  async function anotherRelay(signal: AbortSignal): Promise<LiveRelay | undefined> {
    const slot = scan.freeSlot();
    try {
      await start(slot, AbortSignal.any([signal, stopping.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      const why = toPeerctlError(error).message;
      log.warn("Another relay could not be started, the others carry its share", { slot, error: why });
    }
    return scan.live().find(({ client, isDraining }) => client.slot === slot && !isDraining);
  }

  /** Callers that want the same slot share one start; one that gives up leaves it to the others. */
  async function start(slot: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw cancelled(signal);
    let common = starting.get(slot);
    if (!common) {
      common = startAndMeet(slot).finally(() => starting.delete(slot));
      common.catch(() => {});
      starting.set(slot, common);
    }
    await orAborted(common, signal);
  }

  async function startAndMeet(slot: string): Promise<void> {
    const deadline = performance.now() + timing.startMs;
    let startedAt = -Infinity;
    // Done as well when a relay that cannot be used turns out to have the slot: the next slot is tried then.
    while (!(await scan.meet(slot)) && scan.isFree(slot)) {
      const now = performance.now();
      if (now > Math.min(deadline, lastMeetingAt)) {
        throw noRelay(`relay ${slot} did not answer within ${timing.startMs} ms`);
      }
      // Who has the slot without answering is a relay that starts or ends just now: one of them changes soon.
      if (now - startedAt > timing.restartMs && !stopping.signal.aborted && !(await isSlotTaken(dir, slot))) {
        await starter.start(slot);
        startedAt = performance.now();
      }
      await pause(timing.pollMs, startedAt === -Infinity ? stopping.signal : undefined);
    }
  }

  function noRelay(why: string): PeerctlError {
    const hint = mode === "wait"
      ? `start one with "peerctl relay -dir ${dir} -stay", or let caa do it: -relay auto`
      : `its log is under ${dir}`;
    return new PeerctlError("peer", `Cannot use a relay in "${dir}": ${why}`, { hint });
  }

  return {
    someRelay,
    anotherRelay,
    warnings: () => (isWaiting ? [`no relay runs in ${dir}: pods cannot start until one does`] : []),
    async stop() {
      lastMeetingAt = performance.now() + LAST_MEETING_MS;
      stopping.abort();
      await Promise.allSettled(starting.values());
    },
  };
}

function cancelled(signal: AbortSignal): PeerctlError {
  return new PeerctlError("closed", "Cannot wait for a relay: cancelled", { cause: signal.reason });
}

/** @throws {PeerctlError} kind "closed" as soon as `signal` aborts. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancelled(signal));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await (signal ? orAborted(promise, signal) : promise);
  } finally {
    clearTimeout(timer);
  }
}
