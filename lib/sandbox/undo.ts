// SPDX-License-Identifier: Apache-2.0
/** Keeps the undo of every step taken, and runs them in reverse when the whole did not succeed. */

import type { Logger } from "@logtape/logtape";
import { toPeerctlError } from "../errors.ts";
import type { Clock } from "../os/clock.ts";
import { limitTime } from "../os/limit_time.ts";

export interface Undo {
  /** Remembers how to take back a step, after `Cannot`; `run` must be safe to call when the step was never taken. */
  push(step: string, run: (signal: AbortSignal) => Promise<unknown>): void;
  /** Takes back every step, last one first. A step that cannot be taken back is logged and does not stop the others. */
  runAll(): Promise<void>;
}

/** Creates an empty list of undo steps; each gets `limitMs` milliseconds. */
export function createUndo(options: { log: Logger; clock: Clock; limitMs: number }): Undo {
  const { log, clock, limitMs } = options;
  const steps: { step: string; run: (signal: AbortSignal) => Promise<unknown> }[] = [];
  return {
    push: (step, run) => void steps.push({ step, run }),
    async runAll() {
      for (const { step, run } of steps.splice(0).reverse()) {
        try {
          await limitTime(run, { ms: limitMs, what: step, clock });
        } catch (error) {
          log.error("Step could not be undone", { step, reason: toPeerctlError(error).message });
        }
      }
    },
  };
}
