// SPDX-License-Identifier: Apache-2.0
/** The one error class of peerctl: what went wrong, of what kind, and what to do about it. */

/**
 * What a caller may branch on.
 *
 * - `usage`: the command line is wrong; exit code 2.
 * - `config`: a file, value or environment that was given cannot be used.
 * - `auth`: a peer could not prove who it is, or refused us; trying again will not help.
 * - `peer`: a peer answered wrongly or could not be reached; trying again may help.
 * - `timeout`: a deadline passed.
 * - `closed`: the connection, or the thing asked for, is gone or was cancelled.
 * - `state`: the request does not fit the present state (exists already, not yet started, not found).
 * - `limit`: a limit on outside input was exceeded.
 */
export type ErrorKind = "usage" | "config" | "auth" | "peer" | "timeout" | "closed" | "state" | "limit";

/** `message` reads `Cannot <action> <object>: <what is, what should be>`; `hint` says what to do. */
export class PeerctlError extends Error {
  override readonly name = "PeerctlError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
  }
}

/**
 * Turns anything caught into a PeerctlError: an AbortError becomes `closed`, a TimeoutError `timeout`, what is
 * one already stays itself, and everything else gets `kind`.
 */
export function toPeerctlError(error: unknown, kind: ErrorKind = "peer"): PeerctlError {
  if (error instanceof PeerctlError) return error;
  if (!(error instanceof Error)) return new PeerctlError(kind, String(error));
  const mapped = error.name === "AbortError" ? "closed" : error.name === "TimeoutError" ? "timeout" : kind;
  return new PeerctlError(mapped, error.message, { cause: error });
}

/** Throws what went wrong, if anything did: the one error itself, or an AggregateError of all of them. */
export function throwProblems(problems: readonly unknown[]): void {
  const all = problems.flatMap((one) => one instanceof AggregateError ? one.errors : [one]);
  if (all.length === 1) throw all[0];
  if (all.length > 1) throw new AggregateError(all);
}
