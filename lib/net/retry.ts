// SPDX-License-Identifier: Apache-2.0
/** Tries one operation again, with growing and randomised pauses, until it succeeds, a deadline passes or it cannot. */

import { PeerctlError } from "../errors.ts";

/** Pause before the second attempt, in milliseconds, when the caller names none. */
const FIRST_DELAY_MS = 100;

/** Longest pause between two attempts, in milliseconds, when the caller names none: what CAA uses for its agent dial. */
const MAX_DELAY_MS = 5_000;

export interface RetryOptions {
  /** Ends the waiting at once; an attempt that is under way must watch the same signal itself. */
  readonly signal?: AbortSignal | undefined;
  /** Time for all attempts together, in milliseconds, checked between attempts. */
  readonly timeoutMs: number;
  readonly firstDelayMs?: number | undefined;
  readonly maxDelayMs?: number | undefined;
  /** True for an error that another attempt cannot cure; it is thrown as it is. */
  isFatal?(error: unknown): boolean;
  /** Called before each pause with the error and the number (from 1) of the attempt that failed. */
  onRetry?(error: unknown, attempt: number): void;
}

/**
 * Runs `operation(1)`, `operation(2)` … until one resolves.
 *
 * The pause doubles from `firstDelayMs` to `maxDelayMs`; each is shortened by a random part of up to one half, so that
 * many callers that failed together do not come back together.
 *
 * @throws what the operation threw, if `isFatal` says so.
 * @throws {PeerctlError} kind "timeout" when the next pause would pass the deadline, with the last error as cause.
 * @throws {PeerctlError} kind "closed" when `signal` aborts.
 */
export async function retry<T>(operation: (attempt: number) => Promise<T>, o: RetryOptions): Promise<T> {
  const deadline = performance.now() + o.timeoutMs;
  const maxDelayMs = o.maxDelayMs ?? MAX_DELAY_MS;
  let delayMs = Math.min(o.firstDelayMs ?? FIRST_DELAY_MS, maxDelayMs);
  for (let attempt = 1;; attempt++) {
    throwIfAborted(o.signal);
    let failure: unknown;
    try {
      return await operation(attempt);
    } catch (error) {
      failure = error;
    }
    if (o.isFatal?.(failure)) throw failure;
    throwIfAborted(o.signal, failure);
    const pauseMs = delayMs * (1 - Math.random() / 2);
    if (performance.now() + pauseMs >= deadline) throw timeoutError(failure, attempt, o.timeoutMs);
    o.onRetry?.(failure, attempt);
    await pause(pauseMs, o.signal);
    delayMs = Math.min(delayMs * 2, maxDelayMs);
  }
}

function timeoutError(last: unknown, attempts: number, timeoutMs: number): PeerctlError {
  const why = last instanceof Error ? last.message : String(last);
  return new PeerctlError("timeout", `${why} (tried ${attempts} times in ${timeoutMs} ms)`, {
    cause: last,
    ...(last instanceof PeerctlError && last.hint !== undefined ? { hint: last.hint } : {}),
  });
}

function throwIfAborted(signal: AbortSignal | undefined, cause?: unknown): void {
  if (!signal?.aborted) return;
  throw new PeerctlError("closed", "Cannot try again: cancelled", { cause: cause ?? signal.reason });
}

/** Resolves after `ms`, or as soon as `signal` aborts; the caller looks at the signal afterwards. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
