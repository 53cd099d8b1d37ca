// SPDX-License-Identifier: Apache-2.0
/** Bounds the time of one piece of work that takes a signal. */

import { PeerctlError } from "../errors.ts";

/**
 * Runs `work` with a signal that aborts after `ms` milliseconds, or when `signal` does.
 *
 * Work that does not heed its signal is left behind: the caller goes on.
 *
 * @throws {PeerctlError} kind "timeout" when the time is over, else what `work` or `signal` throws.
 */
export async function limitTime<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: { readonly ms: number; readonly what: string; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const { ms, what, signal } = options;
  const limit = new AbortController();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const end = (reason: unknown) => {
    limit.abort(reason);
    ended.reject(reason);
  };
  const onAbort = () => end(signal?.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort);
  const timer = setTimeout(() => end(new PeerctlError("timeout", `Cannot ${what}: not done after ${ms} ms`)), ms);
  try {
    const running = work(limit.signal);
    running.catch(() => {});
    return await Promise.race([running, ended.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
