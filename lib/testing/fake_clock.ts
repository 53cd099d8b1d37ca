// SPDX-License-Identifier: Apache-2.0
/** A clock that stands still until a test moves it. */

import type { Clock } from "../os/clock.ts";

export interface FakeClock extends Clock {
  /** Lets `ms` milliseconds pass: what is due wakes up in order, and what that starts may become due as well. */
  advance(ms: number): Promise<void>;
  /** How many delays are waiting. */
  readonly waiting: number;
}

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/** Creates a clock that shows `startMs` milliseconds since 1970. */
export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let nowMs = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => nowMs,
    get waiting() {
      return sleepers.size;
    },
    delay(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const leave = () => {
          sleepers.delete(sleeper);
          signal.removeEventListener("abort", abort);
        };
        const abort = () => (leave(), reject(signal.reason));
        const sleeper = { dueMs: nowMs + ms, wake: () => (leave(), resolve()) };
        sleepers.add(sleeper);
        signal.addEventListener("abort", abort);
      });
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        await settled();
        const next = [...sleepers].sort((a, b) => a.dueMs - b.dueMs)[0];
        if (next === undefined || next.dueMs > endMs) break;
        nowMs = Math.max(nowMs, next.dueMs);
        next.wake();
      }
      nowMs = endMs;
      await settled();
    },
  };
}

/** Lets everything that can run now run: promises first, then what they queued. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
