// SPDX-License-Identifier: Apache-2.0
/** One call as its handler sees it, with an abort signal that costs nothing until somebody looks at it. */

import { PeerctlError } from "../errors.ts";
import type { KeyValue, RequestEnvelope } from "./envelope.ts";

/** Longest delay that setTimeout keeps, in ms, about 24 days; with a longer one it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const NANOS_PER_MS = 1e6;

/** What a handler knows about its call besides the payload. */
export interface CallContext {
  readonly service: string;
  readonly method: string;
  /**
   * Aborted when the deadline passes, the connection ends or the server closes; the reason is a PeerctlError of kind
   * "timeout" or "closed". The reply is still the handler's: nothing is answered in its place.
   */
  readonly signal: AbortSignal;
  /** As sent: ns from arrival, 0 none, negative over already. */
  readonly timeoutNanos: bigint;
  readonly metadata: readonly KeyValue[];
  /** Counts the connections of one server, from 1. */
  readonly connectionId: number;
}

/**
 * Answers one call with the bytes of the reply, or throws (see statusFrom). The payload is the handler's to keep; it
 * may share memory with other requests that arrived with it, so it is not to be written to.
 */
export type UnaryHandler = (payload: Uint8Array, context: CallContext) => Promise<Uint8Array>;

/** Service name on the wire ("grpc.Health") to method name ("Check") to handler. */
export type Services = ReadonlyMap<string, ReadonlyMap<string, UnaryHandler>>;

/** The server's side of a {@link CallContext}. */
export interface ServerCall extends CallContext {
  /** Aborts the signal. */
  abort(reason: PeerctlError): void;
  /** Stops the deadline's timer: the call is over. */
  release(): void;
}

/** Creates the call for a request that arrives now. */
export function createServerCall(request: RequestEnvelope, connectionId: number): ServerCall {
  const { service, method, timeoutNanos, metadata } = request;
  const deadline = timeoutNanos === 0n ? Infinity : performance.now() + Number(timeoutNanos) / NANOS_PER_MS;
  // A controller and a timer per call would cost more than the call; most handlers never ask for the signal.
  let controller: AbortController | undefined;
  let abortReason: PeerctlError | undefined;
  let isReleased = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function abort(reason: PeerctlError): void {
    clearTimeout(timer);
    abortReason ??= reason;
    controller?.abort(abortReason);
  }

  function createSignal(): AbortSignal {
    controller = new AbortController();
    const leftMs = deadline - performance.now();
    if (abortReason !== undefined) controller.abort(abortReason);
    else if (leftMs <= 0) expire();
    else if (leftMs < MAX_TIMER_MS && !isReleased) timer = setTimeout(expire, leftMs);
    return controller.signal;
  }

  function expire(): void {
    abort(new PeerctlError("timeout", `Cannot finish ${service}/${method}: the caller's deadline passed`));
  }

  return {
    service,
    method,
    get signal() {
      return controller?.signal ?? createSignal();
    },
    timeoutNanos,
    metadata,
    connectionId,
    abort,
    release() {
      isReleased = true;
      clearTimeout(timer);
    },
  };
}
