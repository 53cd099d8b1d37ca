// SPDX-License-Identifier: Apache-2.0
/** Calls unary methods over one TTRPC connection. */

import type { Duplex } from "node:stream";
import { PeerctlError } from "../errors.ts";
import { decodeResponse, type KeyValue, requestSize, type ResponseEnvelope, writeRequest } from "./envelope.ts";
import { createFrameParser, type FrameHeader, MAX_PAYLOAD_BYTES, MessageType, oversizeText } from "./frame.ts";
import { createFrameWriter } from "./frame_writer.ts";
import { createOutlet } from "./outlet.ts";
import { Code, RpcError, statusFrom } from "./status.ts";

/** Largest stream id: a u32, and clients use the odd ones. */
const MAX_STREAM_ID = 0xffffffff;

/** Longest delay that setTimeout keeps, in ms, about 24 days; with a longer one it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Largest timeout_nano, in ns, that is both an int64 and a double. */
const MAX_TIMEOUT_NANOS = 2 ** 63 - 1024;

export interface CallOptions {
  /** How long to wait for the reply, in ms; sent along as timeout_nano. Missing or Infinity waits for ever. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: readonly KeyValue[];
}

export interface TtrpcClient {
  /**
   * Sends `payload`, which must stay unchanged until the reply, and resolves to the payload of the reply. Calls leave
   * in the order in which they are made. Giving up (deadline, signal) is not told to the server: TTRPC cannot.
   *
   * @throws {RpcError} the server's status when that is not OK, DEADLINE_EXCEEDED or CANCELLED when this side gave up,
   *   RESOURCE_EXHAUSTED when the request or the reply is over the size limit.
   * @throws {PeerctlError} kind "closed", text ending in "ttrpc: closed", when the connection went first; kind "peer" when
   *   the reply is not TTRPC; kind "limit" when every stream id was used.
   */
  call(service: string, method: string, payload: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** Resolves when the connection is gone, to the reason if it was not an orderly end; never rejects. */
  readonly closed: Promise<Error | undefined>;
  /** Ends the connection at once; calls that wait fail. */
  close(): void;
}

/** A call whose reply has not come. */
interface PendingCall {
  /** For messages: `service/method`. */
  readonly name: string;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  /** Removes the timer and the listener on the caller's signal. */
  release: () => void;
}

/** Creates a client that owns `connection`: a connected, or still connecting, socket that nobody else reads or writes. */
export function createTtrpcClient(connection: Duplex): TtrpcClient {
  const pending = new Map<number, PendingCall>();
  const closed = Promise.withResolvers<Error | undefined>();
  let isClosed = false;
  let closeReason: Error | undefined;
  let nextId = 1;
  // A caller that has many large requests under way holds them in memory anyway, so a full outlet stops nobody.
  const frames = createFrameWriter(createOutlet({ socket: connection, onFull() {}, onDrained() {} }));
  const parser = createFrameParser({
    onFrame(header, payload) {
      const call = take(header.streamId);
      // A reply that nobody waits for any more is ordinary after a deadline.
      if (call !== undefined) settle(call, header, payload);
    },
    onOversized(header) {
      take(header.streamId)?.reject(new RpcError(Code.resourceExhausted, oversizeText(header.length)));
    },
  });

  /** Forgets the call, so that whatever comes later for its id is ignored. */
  function take(streamId: number): PendingCall | undefined {
    const call = pending.get(streamId);
    if (call === undefined) return undefined;
    pending.delete(streamId);
    call.release();
    return call;
  }

  function finish(reason?: Error): void {
    if (isClosed) return;
    isClosed = true;
    closeReason = reason;
    connection.destroy();
    for (const streamId of [...pending.keys()]) {
      const call = take(streamId);
      call?.reject(closedError(call.name, reason));
    }
  }

  connection.on("data", (chunk: Uint8Array) => parser.push(chunk));
  // Stays for good: a socket may report an error after it is destroyed, and nobody else listens.
  connection.on("error", finish);
  connection.once("close", () => {
    finish();
    closed.resolve(closeReason);
  });
  connection.once("end", () => {
    try {
      parser.end();
      finish();
    } catch (error) {
      finish(error as Error);
    }
  });
  // Whoever dialled may hand the socket over paused.
  connection.resume();
  if (connection.destroyed) finish(connection.errored ?? undefined);
  if (connection.closed) closed.resolve(closeReason);

  return {
    call(service, method, payload, options = {}) {
      return new Promise((resolve, reject) => {
        const name = `${service}/${method}`;
        const { timeoutMs = Infinity, signal, metadata = [] } = options;
        if (isClosed) throw closedError(name);
        if (signal?.aborted) throw abortedError(name, signal.reason);
        if (timeoutMs <= 0) throw timeoutError(name, timeoutMs);
        if (nextId > MAX_STREAM_ID) {
          throw new PeerctlError("limit", `Cannot call ${name}: every stream id of this connection was used`);
        }
        const request = { service, method, payload, timeoutNanos: toNanos(timeoutMs), metadata };
        const length = requestSize(request);
        if (length > MAX_PAYLOAD_BYTES) throw new RpcError(Code.resourceExhausted, oversizeText(length));
        const streamId = nextId;
        nextId += 2;
        const call: PendingCall = { name, resolve, reject, release() {} };
        pending.set(streamId, call);
        if (timeoutMs < MAX_TIMER_MS || signal !== undefined) {
          watch(call, options, (error) => take(streamId)?.reject(error));
        }
        frames.write(
          { length, streamId, type: MessageType.request, flags: 0 },
          (target, offset) => writeRequest(target, offset, request),
        );
      });
    },
    closed: closed.promise,
    close: () => finish(),
  };
}

/** Calls `giveUp` when the time is over or the caller's signal fires, until the call is released. */
function watch(call: PendingCall, { timeoutMs = Infinity, signal }: CallOptions, giveUp: (error: Error) => void): void {
  const timer = timeoutMs < MAX_TIMER_MS
    ? setTimeout(() => giveUp(timeoutError(call.name, timeoutMs)), timeoutMs)
    : undefined;
  const onAbort = () => giveUp(abortedError(call.name, signal?.reason));
  signal?.addEventListener("abort", onAbort);
  call.release = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
}

function settle(call: PendingCall, header: FrameHeader, payload: Uint8Array): void {
  if (header.type !== MessageType.response) {
    // Streams are not spoken here, so stream data, or anything else, cannot be the answer.
    const what = `the server sent a frame of type ${header.type} where the response was due`;
    call.reject(new PeerctlError("peer", `Cannot call ${call.name}: ${what}`));
    return;
  }
  let response: ResponseEnvelope;
  try {
    response = decodeResponse(payload);
  } catch (cause) {
    call.reject(new PeerctlError("peer", `Cannot call ${call.name}: the response does not decode`, { cause }));
    return;
  }
  const { status } = response;
  if (status === undefined || status.code === Code.ok) call.resolve(response.payload);
  else call.reject(new RpcError(status.code, status.message, { details: status.details ?? [] }));
}

function toNanos(timeoutMs: number): bigint {
  return timeoutMs === Infinity ? 0n : BigInt(Math.min(Math.ceil(timeoutMs * 1e6), MAX_TIMEOUT_NANOS));
}

/** Ends in the exact words of the Go client, which callers up to the kata shim look for. */
function closedError(name: string, cause?: Error): PeerctlError {
  return new PeerctlError("closed", `Cannot call ${name}: ttrpc: closed`, { cause });
}

function timeoutError(name: string, timeoutMs: number): RpcError {
  return new RpcError(Code.deadlineExceeded, `Cannot call ${name}: no reply within ${Math.max(timeoutMs, 0)} ms`);
}

function abortedError(name: string, cause: unknown): RpcError {
  const isTimeout = statusFrom(cause).code === Code.deadlineExceeded;
  const code = isTimeout ? Code.deadlineExceeded : Code.cancelled;
  return new RpcError(code, `Cannot call ${name}: ${isTimeout ? "its time is over" : "cancelled"}`, { cause });
}
