// SPDX-License-Identifier: Apache-2.0
/** Bounds the time of one piece of work that takes a signal. */

import { PeerctlError } from "../errors.ts";
import type { Clock } from "./clock.ts";

export interface LimitTimeOptions {
  /** In milliseconds. */
  readonly ms: number;
  /** What is being done, after "Cannot". */
  readonly what: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts after `ms` milliseconds, or when `signal` does. Work that does not heed its
 * signal is left behind: the caller goes on.
 *
 * @throws {PeerctlError} kind "timeout" when the time is over, else what `work` throws or `signal` was aborted with.
 */
export async function limitTime<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: LimitTimeOptions,
): Promise<T> {
  const { ms, what, clock, signal } = options;
  const limit = new AbortController();
  const isDone = new AbortController();
  const either = signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal]);
  const overdue = new Promise<never>((_, reject) => {
    either.addEventListener("abort", () => reject(either.reason), { signal: isDone.signal });
  });
  overdue.catch(() => {});
  clock.delay(ms, isDone.signal).then(
    () => limit.abort(new PeerctlError("timeout", `Cannot ${what}: not done after ${ms} ms`)),
    () => {},
  );
  try {
    either.throwIfAborted();
    const running = work(either);
    running.catch(() => {});
    return await Promise.race([running, overdue]);
  } finally {
    isDone.abort();
  }
}
