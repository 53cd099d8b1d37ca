// SPDX-License-Identifier: Apache-2.0
/** The server-to-client half of a splice: passes frames, gives streams back the client's ids, and puts answers of our own between frames. */

import { encodeResponse } from "./envelope.ts";
import { encodeFrame, Flag, type FrameHeader, MAX_PAYLOAD_BYTES, MessageType, oversizeText } from "./frame.ts";
import { createFrameTracker, type Verdict, writeStreamId } from "./frame_tracker.ts";
import type { Outlet } from "./outlet.ts";
import { Code, type RpcStatus } from "./status.ts";
import type { StreamIds } from "./stream_ids.ts";

/** Bytes of our own answers, waiting for a frame to end, above which the client should not be read. */
const MAX_WAITING_BYTES = 64 << 10;

export interface ReplyDirectionOptions {
  readonly ids: StreamIds;
  /** Towards the client. */
  readonly outlet: Outlet;
  /** Live counters to keep. */
  readonly stats: { responses: number };
}

export interface ReplyDirection {
  push(chunk: Uint8Array): void;
  /** Sends a Response of our own, under the client's stream id, as soon as no frame is under way. */
  answer(streamId: number, status: RpcStatus): void;
  /** True when the client does not take our answers as fast as it causes them. */
  readonly crowded: boolean;
}

/** Creates the direction of a new connection. */
export function createReplyDirection({ ids, outlet, stats }: ReplyDirectionOptions): ReplyDirection {
  const tracker = createFrameTracker({ judge, forward: outlet.write, collected() {}, boundary: writeAnswers });
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;

  function judge(header: FrameHeader, bytes: Uint8Array, at: number): Verdict {
    const { type, streamId, length } = header;
    if (type === MessageType.response) stats.responses++;
    const oversized = length > MAX_PAYLOAD_BYTES;
    const ends = type === MessageType.response ||
      (type === MessageType.data && (oversized || (header.flags & Flag.remoteClosed) !== 0));
    const clientId = ids.toClient(streamId);
    if (ends) ids.finish(streamId);
    if (clientId === undefined) return "drop";
    if (oversized) {
      if (ends) answer(clientId, { code: Code.resourceExhausted, message: oversizeText(length) });
      return "drop";
    }
    if (clientId !== streamId) writeStreamId(bytes, at, clientId);
    return "pass";
  }

  function answer(streamId: number, status: RpcStatus): void {
    const frame = encodeAnswer(streamId, status);
    waiting.push(frame);
    waitingBytes += frame.byteLength;
    tracker.interrupt();
  }

  function writeAnswers(): void {
    const frames = waiting;
    waiting = [];
    waitingBytes = 0;
    for (const frame of frames) outlet.write(frame);
  }

  return {
    push: tracker.push,
    answer,
    get crowded() {
      return outlet.full || waitingBytes > MAX_WAITING_BYTES;
    },
  };
}

/** Encodes a Response frame with a status; one whose own text is over the limit says only that. */
function encodeAnswer(streamId: number, status: RpcStatus): Uint8Array {
  const header = { streamId, type: MessageType.response, flags: 0 };
  const payload = encodeResponse({ status, payload: new Uint8Array(0) });
  if (payload.byteLength <= MAX_PAYLOAD_BYTES) return encodeFrame(header, payload);
  const message = oversizeText(payload.byteLength);
  return encodeFrame(
    header,
    encodeResponse({ status: { code: Code.resourceExhausted, message }, payload: new Uint8Array(0) }),
  );
}
