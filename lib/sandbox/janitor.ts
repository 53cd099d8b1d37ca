// SPDX-License-Identifier: Apache-2.0
/** Comes by every few seconds: retries deletions that are due, looks for orphans, writes what could not be written. */

import type { Logger } from "@logtape/logtape";
import { toPeerctlError } from "../errors.ts";
import type { Clock } from "../os/clock.ts";
import type { Provider } from "../provider/provider.ts";
import { createOrphanSweeper, type Orphan } from "./orphans.ts";
import type { Reaper } from "./reaper.ts";
import type { SandboxStore } from "./store.ts";

/** Time between two rounds, in milliseconds: the shortest pause between two attempts to delete is two seconds. */
const ROUND_MS = 1_000;

/** Time between two looks at what the provider lists, in milliseconds: each costs a call that clouds limit. */
const SWEEP_MS = 60_000;

export interface JanitorOptions {
  readonly provider: Provider;
  readonly store: SandboxStore;
  readonly reaper: Reaper;
  readonly orphanGraceMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Janitor {
  /** Instances without an owner that are left alone until their grace period ends. */
  orphans(): readonly Orphan[];
  /** Ends the round that is under way, too. */
  stop(): Promise<void>;
}

/** Starts the rounds; the first look for orphans is at once. */
export function startJanitor(options: JanitorOptions): Janitor {
  const { store, reaper, orphanGraceMs, clock, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const orphans = createOrphanSweeper({ ...options, graceMs: orphanGraceMs });

  async function round(sweep: boolean): Promise<void> {
    try {
      store.flush();
      await reaper.retryDue(signal);
      if (sweep) await orphans.sweep(signal);
    } catch (error) {
      if (!signal.aborted) log.warn("Clean-up round failed", { reason: toPeerctlError(error).message });
    }
  }

  async function run(): Promise<void> {
    let nextSweepMs = clock.now();
    while (!signal.aborted) {
      const isSweepDue = clock.now() >= nextSweepMs;
      // With a short grace period the looks come as often.
      if (isSweepDue) nextSweepMs = clock.now() + Math.min(SWEEP_MS, Math.max(ROUND_MS, orphanGraceMs));
      await round(isSweepDue);
      await clock.delay(ROUND_MS, signal).catch(() => {});
    }
  }

  const running = run();
  return {
    orphans: () => orphans.waiting,
    stop() {
      stopping.abort(new DOMException("caa is stopping", "AbortError"));
      return running;
    },
  };
}
