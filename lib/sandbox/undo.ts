// SPDX-License-Identifier: Apache-2.0
/** Keeps the undo of every step taken, and runs them in reverse when the whole did not succeed. */

import type { Logger } from "@logtape/logtape";

export interface Undo {
  /** Remembers how to take back a step that was just taken; `run` must be safe to call more than once. */
  push(step: string, run: (signal: AbortSignal) => Promise<unknown>): void;
  /** Takes back every step, last one first. A step that cannot be taken back is logged and does not stop the others. */
  runAll(): Promise<void>;
}

/** Creates an empty list of undo steps; each gets `limitMs` milliseconds. */
export function createUndo(options: { log: Logger; limitMs: number }): Undo {
  const { log, limitMs } = options;
  const steps: { step: string; run: (signal: AbortSignal) => Promise<unknown> }[] = [];
  return {
    push: (step, run) => void steps.push({ step, run }),
    async runAll() {
      for (const { step, run } of steps.splice(0).reverse()) {
        const limit = new AbortController();
        const timer = setTimeout(
          () => limit.abort(new DOMException(`took over ${limitMs} ms`, "TimeoutError")),
          limitMs,
        );
        try {
          await run(limit.signal);
        } catch (error) {
          log.error("Step could not be undone", { step, error });
        } finally {
          clearTimeout(timer);
        }
      }
    },
  };
}
