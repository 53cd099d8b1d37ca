// SPDX-License-Identifier: Apache-2.0
/** The two protobuf messages that a TTRPC frame carries, Request and Response, encoded and decoded by hand (PROTOCOL.md, "Envelope"). */

import type { RpcStatus } from "./status.ts";

/** One metadata entry; a header with several values repeats its key, in order. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface RequestEnvelope {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
  /** Time the caller is willing to wait, in ns from now; 0 is no limit, negative is over already. int64. */
  readonly timeoutNanos: bigint;
  readonly metadata: readonly KeyValue[];
}

export interface ResponseEnvelope {
  /** Missing means OK (Go form); a status with code 0 does too (Rust form). */
  readonly status?: RpcStatus;
  readonly payload: Uint8Array;
}

export function encodeRequest(_request: RequestEnvelope): Uint8Array {
  throw new Error("being written");
}
export function decodeRequest(_bytes: Uint8Array): RequestEnvelope {
  throw new Error("being written");
}
export function encodeResponse(_response: ResponseEnvelope): Uint8Array {
  throw new Error("being written");
}
export function decodeResponse(_bytes: Uint8Array): ResponseEnvelope {
  throw new Error("being written");
}
