// SPDX-License-Identifier: Apache-2.0
/** The client-to-server half of a splice: passes frames, takes out the requests that have a rewriter, refuses what must not go on. */

import { Flag, type FrameHeader, HEADER_BYTES, MAX_PAYLOAD_BYTES, MessageType, oversizeText } from "./frame.ts";
import { createFrameTracker, type Verdict, writeStreamId } from "./frame_tracker.ts";
import { createHeldRequests, type ReadyRequest } from "./held_requests.ts";
import type { Outlet } from "./outlet.ts";
import { createMethodMatcher, readRequestParts } from "./request_rewrite.ts";
import type { Rewriters } from "./splice.ts";
import { Code, RpcError, type RpcStatus, statusFrom } from "./status.ts";
import type { StreamIds } from "./stream_ids.ts";

/** Refused streams whose late Data frames are still recognised; the oldest is forgotten first. */
const MAX_REFUSED_STREAMS = 1024;

export interface RequestDirectionOptions {
  readonly ids: StreamIds;
  readonly rewriters: Rewriters;
  /** Towards the server. */
  readonly outlet: Outlet;
  /** Live counters to keep. */
  readonly stats: { requests: number; held: number };
  /** Answers the client in the server's place, under the client's stream id. */
  readonly answer: (streamId: number, status: RpcStatus) => void;
  /** Called with false when the client must not be read, because too much is held, and with true when it may again. */
  readonly onRoom: (room: boolean) => void;
}

export interface RequestDirection {
  push(chunk: Uint8Array): void;
  /** Forgets what is held and aborts its rewriters. */
  close(): void;
}

/** Creates the direction of a new connection. */
export function createRequestDirection(options: RequestDirectionOptions): RequestDirection {
  const { ids, rewriters, outlet, stats, answer, onRoom } = options;
  const matcher = rewriters.size === 0 ? undefined : createMethodMatcher(rewriters.keys());
  const tracker = createFrameTracker({ judge, forward: outlet.write, collected, boundary: () => held.release(send) });
  const held = createHeldRequests({
    stats,
    onReady: tracker.interrupt,
    onRefused: refuseStream,
    onRoom(room) {
      onRoom(room);
      if (room) tracker.resume();
      else tracker.stop();
    },
  });
  /** Streams that were refused and on which the client may still send. */
  const refusedStreams = new Set<number>();
  /** What StreamIds.arrive said of the request that is being collected. */
  let collectingInOrder = true;

  function judge(header: FrameHeader, bytes: Uint8Array, at: number): Verdict {
    const { type, length } = header;
    if (length > MAX_PAYLOAD_BYTES) {
      if (type === MessageType.request) stats.requests++;
      if (type === MessageType.request || type === MessageType.data) {
        refuse(header, new RpcError(Code.resourceExhausted, oversizeText(length)));
      }
      return "drop";
    }
    if (type === MessageType.request) return judgeRequest(header, bytes, at);
    if (type === MessageType.data && held.has(header.streamId)) return "collect";
    return translate(header, bytes, at) ? "pass" : "drop";
  }

  function judgeRequest(header: FrameHeader, bytes: Uint8Array, at: number): Verdict {
    const { streamId } = header;
    const match = matcher === undefined ? "no" : matcher.match(bytes, at + HEADER_BYTES, header.length);
    if (match === "more") return "wait";
    stats.requests++;
    try {
      if (held.has(streamId)) throw new RpcError(Code.invalidArgument, `stream id ${streamId} is in use`);
      const inOrder = ids.arrive(streamId);
      if (match !== "no") {
        collectingInOrder = inOrder;
        return "collect";
      }
      const serverId = ids.send(streamId, inOrder);
      if (serverId !== streamId) writeStreamId(bytes, at, serverId);
      return "pass";
    } catch (error) {
      refuse(header, error);
      return "drop";
    }
  }

  function collected(header: FrameHeader, frame: Uint8Array): void {
    if (header.type !== MessageType.request) {
      // The request may have been sent while this Data frame was coming in.
      if (!held.follow(header, frame) && translate(header, frame, 0)) outlet.write(frame);
      return;
    }
    const request = { header, frame, inOrder: collectingInOrder };
    const parts = readRequestParts(frame);
    const rewriter = parts === undefined ? undefined : rewriters.get(parts.name);
    if (parts === undefined || rewriter === undefined) return send({ ...request, followers: [] });
    try {
      const rewritten = held.rewrite(request, parts, rewriter);
      if (rewritten !== undefined) send({ ...request, frame: rewritten, followers: [] });
    } catch (error) {
      refuseStream(header, error);
    }
  }

  /** Sends a whole request; only between two frames. */
  function send({ header, frame, inOrder, followers }: ReadyRequest): void {
    try {
      const serverId = ids.send(header.streamId, inOrder);
      if (serverId !== header.streamId) writeStreamId(frame, 0, serverId);
    } catch (error) {
      return refuseStream(header, error);
    }
    outlet.write(frame);
    for (const follower of followers) {
      if (translate(follower.header, follower.frame, 0)) outlet.write(follower.frame);
    }
  }

  /** Puts the server's id into the header of a frame that is no Request; false if the frame must not go on. */
  function translate(header: FrameHeader, bytes: Uint8Array, at: number): boolean {
    const { streamId, type } = header;
    if (refusedStreams.size > 0 && type === MessageType.data && refusedStreams.has(streamId)) {
      if ((header.flags & Flag.remoteClosed) !== 0) refusedStreams.delete(streamId);
      return false;
    }
    if (!ids.renumbered) return true;
    const serverId = ids.toServer(streamId);
    if (serverId === undefined) {
      if (type === MessageType.data) {
        refuse(header, new RpcError(Code.invalidArgument, `stream ${streamId} is not open`));
      }
      return false;
    }
    if (serverId !== streamId) writeStreamId(bytes, at, serverId);
    return true;
  }

  function refuse({ streamId }: FrameHeader, error: unknown): void {
    answer(streamId, statusFrom(error));
  }

  /** Refuses a new stream on which the client may have more to send. */
  function refuseStream(header: FrameHeader, error: unknown): void {
    if ((header.flags & Flag.remoteOpen) !== 0) {
      const oldest = refusedStreams.values().next();
      if (refusedStreams.size >= MAX_REFUSED_STREAMS && !oldest.done) refusedStreams.delete(oldest.value);
      refusedStreams.add(header.streamId);
    }
    refuse(header, error);
  }

  return { push: tracker.push, close: held.close };
}
