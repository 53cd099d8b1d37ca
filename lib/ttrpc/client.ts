// SPDX-License-Identifier: Apache-2.0
/** Calls unary methods over one TTRPC connection. */

import type { Duplex } from "node:stream";
import type { KeyValue } from "./envelope.ts";

export interface CallOptions {
  /** How long to wait for the reply, in ms; sent along as timeout_nano. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: readonly KeyValue[];
}

export interface TtrpcClient {
  /** Sends `payload` and resolves to the payload of the reply. */
  call(service: string, method: string, payload: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** Resolves when the connection is gone, to the reason if it was not an orderly end; never rejects. */
  readonly closed: Promise<Error | undefined>;
  /** Ends the connection at once; calls that wait fail. */
  close(): void;
}

export function createTtrpcClient(_connection: Duplex): TtrpcClient {
  throw new Error("being written");
}
