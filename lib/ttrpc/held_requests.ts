// SPDX-License-Identifier: Apache-2.0
/** Runs rewriters on requests and keeps those that have to wait, within limits and deadlines. */

import { Buffer } from "node:buffer";
import { PeerctlError } from "../errors.ts";
import type { FrameHeader } from "./frame.ts";
import { replacePayload, type RequestParts } from "./request_rewrite.ts";
import type { Rewriter } from "./splice.ts";
import { Code, RpcError } from "./status.ts";

/** Requests of one connection that may wait for their rewriters; at this many the client is not read any more. */
export const MAX_HELD_REQUESTS = 64;

/** Bytes of held requests, and of the frames behind them, at which the client is not read any more. */
export const MAX_HELD_BYTES = 16 << 20;

/** Longest delay of a timer, in ms: a longer one would fire at once (HTML standard: delays are int32). */
const MAX_TIMER_MS = 0x7fff_ffff;

/** A whole request, taken out of the flow. */
export interface TakenRequest {
  readonly header: FrameHeader;
  /** Header and payload. */
  readonly frame: Uint8Array;
  /** What StreamIds.arrive said of its id. */
  readonly inOrder: boolean;
}

/** A request that was rewritten, and the frames of its stream that came after it. */
export interface ReadyRequest extends TakenRequest {
  readonly followers: readonly { readonly header: FrameHeader; readonly frame: Uint8Array }[];
}

export interface HeldRequestsOptions {
  /** Live counter to keep. */
  readonly stats: { held: number };
  /** A request has been rewritten: call `release` as soon as it may be sent. */
  readonly onReady: () => void;
  /** A held request will not be sent, because of `error`. */
  readonly onRefused: (header: FrameHeader, error: unknown) => void;
  /** Called with false when a limit is reached and with true when there is room again. */
  readonly onRoom: (room: boolean) => void;
}

export interface HeldRequests {
  /** True while the request of this stream has neither been sent nor refused. */
  has(streamId: number): boolean;
  /**
   * Runs the rewriter. Returns the frame to send if it answered at once; holds the request and returns undefined if it
   * gave a promise.
   *
   * @throws what the rewriter throws, or {RpcError} when the result is too large or the request's time is over already.
   */
  rewrite(request: TakenRequest, parts: RequestParts, rewriter: Rewriter): Uint8Array | undefined;
  /** Queues a frame behind the held request of its stream; false if there is none. */
  follow(header: FrameHeader, frame: Uint8Array): boolean;
  /** Hands over all requests that are ready, in the order in which they became so. */
  release(send: (request: ReadyRequest) => void): void;
  /** Forgets everything and aborts the rewriters. */
  close(): void;
}

interface Entry {
  readonly request: TakenRequest;
  readonly followers: { header: FrameHeader; frame: Uint8Array }[];
  readonly abort: AbortController;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** The frame to send, once it is known. */
  rewritten: Uint8Array | undefined;
  bytes: number;
}

/** Creates the empty set of one connection. */
export function createHeldRequests({ stats, onReady, onRefused, onRoom }: HeldRequestsOptions): HeldRequests {
  const entries = new Map<number, Entry>();
  let ready: Entry[] = [];
  let bytes = 0;
  let room = true;

  function updateRoom(): void {
    const now = entries.size < MAX_HELD_REQUESTS && bytes < MAX_HELD_BYTES;
    if (now === room) return;
    room = now;
    onRoom(room);
  }

  function grow(entry: Entry, count: number): void {
    entry.bytes += count;
    bytes += count;
  }

  function remove(entry: Entry): void {
    clearTimeout(entry.timer);
    entries.delete(entry.request.header.streamId);
    bytes -= entry.bytes;
    stats.held = entries.size;
  }

  function isHeld(entry: Entry): boolean {
    return entries.get(entry.request.header.streamId) === entry;
  }

  function refuse(entry: Entry, error: unknown): void {
    if (!isHeld(entry)) return;
    remove(entry);
    onRefused(entry.request.header, error);
    updateRoom();
  }

  async function settle(entry: Entry, parts: RequestParts, result: Promise<Uint8Array>): Promise<void> {
    try {
      const frame = exchange(entry.request, parts, await result);
      if (!isHeld(entry)) return;
      clearTimeout(entry.timer);
      grow(entry, frame.byteLength - entry.request.frame.byteLength);
      entry.rewritten = frame;
      ready.push(entry);
      onReady();
    } catch (error) {
      refuse(entry, error);
    }
  }

  /** Starts the timer of the request's own timeout; none, or longer than a timer can be, is no limit. */
  function startTimer(entry: Entry, timeoutNanos: bigint): void {
    const delay = Math.ceil(Number(timeoutNanos) / 1e6);
    if (delay <= 0 || delay > MAX_TIMER_MS) return;
    entry.timer = setTimeout(() => {
      const error = timedOut();
      refuse(entry, error);
      entry.abort.abort(error);
    }, delay);
  }

  return {
    has: (streamId) => entries.has(streamId),
    rewrite(request, parts, rewriter) {
      const { timeoutNanos } = parts;
      if (timeoutNanos < 0n) throw timedOut();
      const abort = new AbortController();
      const result = rewriter(parts.payload, { signal: abort.signal, timeoutNanos });
      if (result instanceof Uint8Array) return exchange(request, parts, result);
      const entry: Entry = { request, followers: [], abort, timer: undefined, rewritten: undefined, bytes: 0 };
      entries.set(request.header.streamId, entry);
      stats.held = entries.size;
      grow(entry, request.frame.byteLength);
      startTimer(entry, timeoutNanos);
      settle(entry, parts, result);
      updateRoom();
      return undefined;
    },
    follow(header, frame) {
      const entry = entries.get(header.streamId);
      if (entry === undefined) return false;
      entry.followers.push({ header, frame });
      grow(entry, frame.byteLength);
      updateRoom();
      return true;
    },
    release(send) {
      const released = ready;
      ready = [];
      for (const entry of released) {
        const { request, followers, rewritten } = entry;
        remove(entry);
        send({ ...request, frame: rewritten ?? request.frame, followers });
      }
      // Only now: room lets frames in that must not come before the ones just sent.
      updateRoom();
    },
    close() {
      const error = new PeerctlError("closed", "Cannot forward request: the connection is closed");
      const aborted = [...entries.values()];
      entries.clear();
      ready = [];
      bytes = 0;
      stats.held = 0;
      for (const entry of aborted) {
        clearTimeout(entry.timer);
        entry.abort.abort(error);
      }
    },
  };
}

/** Returns the request's frame with the new payload, or itself if that is the same. */
function exchange({ header, frame }: TakenRequest, parts: RequestParts, payload: Uint8Array): Uint8Array {
  if (payload === parts.payload || Buffer.compare(payload, parts.payload) === 0) return frame;
  return replacePayload(frame, header, parts, payload);
}

function timedOut(): RpcError {
  return new RpcError(Code.deadlineExceeded, "the request's time was over before it could be forwarded");
}
