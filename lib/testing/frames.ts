// SPDX-License-Identifier: Apache-2.0
/** Makes TTRPC frames for tests in one line each. */

import { decodeResponse, encodeRequest, encodeResponse, type RequestEnvelope } from "../ttrpc/envelope.ts";
import { encodeFrame, HEADER_BYTES, MessageType, readHeader, writeHeader } from "../ttrpc/frame.ts";
import type { RpcStatus } from "../ttrpc/status.ts";

const NOTHING = new Uint8Array(0);

/** A Request; by default of t.S/Plain with no payload. */
export function requestFrame(streamId: number, envelope: Partial<RequestEnvelope> = {}, flags = 0): Uint8Array {
  const whole = { service: "t.S", method: "Plain", payload: NOTHING, timeoutNanos: 0n, metadata: [], ...envelope };
  return encodeFrame({ streamId, type: MessageType.request, flags }, encodeRequest(whole));
}

/** A Response: bytes of a reply, or a status. */
export function responseFrame(streamId: number, reply: Uint8Array | RpcStatus = NOTHING): Uint8Array {
  const envelope = reply instanceof Uint8Array ? { payload: reply } : { status: reply, payload: NOTHING };
  return encodeFrame({ streamId, type: MessageType.response, flags: 0 }, encodeResponse(envelope));
}

/** A Data frame. */
export function dataFrame(streamId: number, payload: Uint8Array = NOTHING, flags = 0): Uint8Array {
  return encodeFrame({ streamId, type: MessageType.data, flags }, payload);
}

/** A header alone, which may promise any length. */
export function frameHeader(length: number, streamId: number, type: number, flags = 0): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  writeHeader(header, 0, { length, streamId, type, flags });
  return header;
}

/** The same frame under another stream id. */
export function withStreamId(frame: Uint8Array, streamId: number): Uint8Array {
  const copy = frame.slice();
  writeHeader(copy, 0, { ...readHeader(frame, 0), streamId });
  return copy;
}

/** Stream id and status of a Response frame; code 0 when it has none. */
export function readAnswer(frame: Uint8Array): { streamId: number; code: number; message: string } {
  const { streamId } = readHeader(frame, 0);
  const { status } = decodeResponse(frame.subarray(HEADER_BYTES));
  return { streamId, code: status?.code ?? 0, message: status?.message ?? "" };
}
