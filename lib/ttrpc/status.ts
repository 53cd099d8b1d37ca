// SPDX-License-Identifier: Apache-2.0
/** The outcome of a call: gRPC codes, the error that carries one, and which code an error of our own becomes on the wire. */

import { type ErrorKind, PeerctlError } from "../errors.ts";

/** gRPC status codes (google.rpc.Code). */
export const Code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** A google.protobuf.Any inside a status. */
export interface StatusDetail {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** A google.rpc.Status. */
export interface RpcStatus {
  /** int32, see {@link Code}; a peer may send any number. */
  readonly code: number;
  readonly message: string;
  readonly details?: readonly StatusDetail[];
}

/** Thrown by a handler to answer with exactly this status, and by a client's call when that is the answer. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly details: readonly StatusDetail[];

  constructor(code: number, message: string, options: { details?: readonly StatusDetail[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? [];
  }
}

const codeOfKind: Readonly<Record<ErrorKind, number>> = {
  usage: Code.invalidArgument,
  config: Code.invalidArgument,
  auth: Code.unauthenticated,
  peer: Code.unavailable,
  timeout: Code.deadlineExceeded,
  closed: Code.cancelled,
  state: Code.failedPrecondition,
  limit: Code.resourceExhausted,
};

/**
 * Turns anything a handler threw into the status that is sent.
 *
 * An RpcError keeps its code, a PeerctlError gets the code of its kind and its hint after the message, what an
 * AbortSignal throws is CANCELLED or DEADLINE_EXCEEDED, and the rest is UNKNOWN.
 */
export function statusFrom(error: unknown): RpcStatus {
  if (error instanceof RpcError) {
    const { code, message, details } = error;
    return details.length === 0 ? { code, message } : { code, message, details };
  }
  if (error instanceof PeerctlError) {
    const message = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
    return { code: codeOfKind[error.kind], message };
  }
  if (!(error instanceof Error)) return { code: Code.unknown, message: String(error) };
  return { code: codeOfName(error.name), message: error.message };
}

/** AbortSignal's own reasons are told apart by name only (DOM standard). */
function codeOfName(name: string): number {
  if (name === "AbortError") return Code.cancelled;
  return name === "TimeoutError" ? Code.deadlineExceeded : Code.unknown;
}
