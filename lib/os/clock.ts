// SPDX-License-Identifier: Apache-2.0
/** What rooms know of time, so that tests can let hours pass at once. */

import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Wall-clock time, in milliseconds since 1970: it is written down and compared after a restart. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects when `signal` aborts. Does not keep the process alive. */
  delay(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  delay: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
};
