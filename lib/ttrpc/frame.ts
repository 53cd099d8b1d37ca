// SPDX-License-Identifier: Apache-2.0
/** The TTRPC frame: ten header bytes and a payload; encoded at once, parsed from chunks cut anywhere (PROTOCOL.md, "Frame"). */

import { PeerctlError } from "../errors.ts";

/** Bytes of a frame header: u32 length, u32 stream id, u8 type, u8 flags, big-endian (containerd/ttrpc PROTOCOL.md). */
export const HEADER_BYTES = 10;

/** Largest payload a frame may carry, in bytes, itself allowed (containerd/ttrpc channel.go). */
export const MAX_PAYLOAD_BYTES = 4 << 20;

/** First allocation, in bytes, for a payload that arrives in pieces; it grows with what really arrives. */
const FIRST_BUFFER_BYTES = 64 << 10;

/** How much larger each next buffer is: 64 KiB, 256 KiB, 1 MiB, 4 MiB; never over four times what has arrived. */
const BUFFER_GROWTH = 4;

/** Message types on the wire. */
export const MessageType = { request: 1, response: 2, data: 3 } as const;

/** Flag bits on the wire; "remote" is the sender as its receiver sees it. */
export const Flag = { remoteClosed: 1, remoteOpen: 2, noData: 4 } as const;

export interface FrameHeader {
  /** Payload bytes as declared, up to 4 GiB - 1. */
  length: number;
  /** u32; odd on every stream that a client opens. */
  streamId: number;
  /** u8, see {@link MessageType}; other values travel on the wire and mean nothing. */
  type: number;
  /** u8, see {@link Flag}. */
  flags: number;
}

/** What a parser reports, in wire order. A throw leaves `push` at once and loses the rest of the chunk: do not throw. */
export interface FrameHandler {
  /**
   * One whole frame. When it lay in one chunk, `payload` is a view of that chunk, good for as long as the owner of the
   * chunk leaves it alone (a node socket never writes to a chunk again); otherwise it is a buffer of its own.
   */
  onFrame(header: FrameHeader, payload: Uint8Array): void;
  /** A frame over {@link MAX_PAYLOAD_BYTES}, once the last of its payload has been thrown away. */
  onOversized(header: FrameHeader): void;
}

export interface FrameParser {
  /** Takes the next bytes of the connection and reports each frame that they complete. */
  push(chunk: Uint8Array): void;
  /**
   * Says that no more bytes follow.
   *
   * @throws {PeerctlError} kind "closed" when that is in the middle of a frame.
   */
  end(): void;
}

/** Writes a header for a payload of `length` bytes into `target` at `offset`, which must have ten bytes of room. */
export function writeHeader(target: Uint8Array, offset: number, header: FrameHeader): void {
  const { length, streamId } = header;
  target[offset] = length >>> 24;
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
  target[offset + 4] = streamId >>> 24;
  target[offset + 5] = streamId >>> 16;
  target[offset + 6] = streamId >>> 8;
  target[offset + 7] = streamId;
  target[offset + 8] = header.type;
  target[offset + 9] = header.flags;
}

/** Reads the header at `offset`, where ten bytes must be. */
export function readHeader(source: Uint8Array, offset: number): FrameHeader {
  return {
    length: readUint32(source, offset),
    streamId: readUint32(source, offset + 4),
    type: source[offset + 8]!,
    flags: source[offset + 9]!,
  };
}

/**
 * Encodes one frame, header and a copy of the payload.
 *
 * @throws {PeerctlError} kind "limit" when the payload is over {@link MAX_PAYLOAD_BYTES}.
 */
export function encodeFrame(header: Omit<FrameHeader, "length">, payload: Uint8Array): Uint8Array {
  if (payload.byteLength > MAX_PAYLOAD_BYTES) {
    throw new PeerctlError("limit", `Cannot encode frame: ${oversizeText(payload.byteLength)}`);
  }
  const frame = new Uint8Array(HEADER_BYTES + payload.byteLength);
  writeHeader(frame, 0, { ...header, length: payload.byteLength });
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** The text that goes with code 8 for a frame of `length` bytes: the same in the Go and the Rust implementation. */
export function oversizeText(length: number): string {
  return `message length ${length} exceed maximum message size of ${MAX_PAYLOAD_BYTES}`;
}

/**
 * Creates a parser that takes chunks as they come and calls `handler` for each frame, from inside `push`.
 *
 * A length is judged before anything is allocated for it, and memory follows what has arrived, not what was declared.
 */
export function createFrameParser(handler: FrameHandler): FrameParser {
  const partialHeader = new Uint8Array(HEADER_BYTES);
  let headerFilled = 0;
  /** The frame whose payload is not complete yet. */
  let current: FrameHeader | undefined;
  let payload: Uint8Array | undefined;
  let received = 0;

  /** Copies what `chunk` has of the current payload; returns the offset after it. */
  function takePayload(header: FrameHeader, chunk: Uint8Array, offset: number): number {
    const taken = Math.min(header.length - received, chunk.byteLength - offset);
    if (header.length <= MAX_PAYLOAD_BYTES && taken > 0) {
      payload = withRoom(payload, received, received + taken, header.length);
      payload.set(chunk.subarray(offset, offset + taken), received);
    }
    received += taken;
    return offset + taken;
  }

  function finish(header: FrameHeader): void {
    const whole = payload;
    current = undefined;
    payload = undefined;
    received = 0;
    if (header.length > MAX_PAYLOAD_BYTES) handler.onOversized(header);
    else handler.onFrame(header, whole ?? new Uint8Array(0));
  }

  return {
    push(chunk) {
      const size = chunk.byteLength;
      let offset = 0;
      while (offset < size) {
        if (current === undefined) {
          if (headerFilled === 0 && size - offset >= HEADER_BYTES) {
            current = readHeader(chunk, offset);
            offset += HEADER_BYTES;
          } else {
            const taken = Math.min(HEADER_BYTES - headerFilled, size - offset);
            partialHeader.set(chunk.subarray(offset, offset + taken), headerFilled);
            headerFilled += taken;
            offset += taken;
            if (headerFilled < HEADER_BYTES) return;
            headerFilled = 0;
            current = readHeader(partialHeader, 0);
          }
          const { length } = current;
          if (length <= MAX_PAYLOAD_BYTES && length <= size - offset) {
            const header = current;
            current = undefined;
            const start = offset;
            offset += length;
            handler.onFrame(header, chunk.subarray(start, offset));
            continue;
          }
        }
        offset = takePayload(current, chunk, offset);
        if (received === current.length) finish(current);
      }
    },
    end() {
      if (current !== undefined) {
        throw new PeerctlError(
          "closed",
          `Cannot read frame: the connection ended after ${received} of ${current.length} payload bytes`,
        );
      }
      if (headerFilled > 0) {
        throw new PeerctlError(
          "closed",
          `Cannot read frame: the connection ended after ${headerFilled} of ${HEADER_BYTES} header bytes`,
        );
      }
    },
  };
}

/** Returns `buffer`, or a larger copy of its first `used` bytes, with room for `needed` and never more than `limit`. */
function withRoom(buffer: Uint8Array | undefined, used: number, needed: number, limit: number): Uint8Array {
  if (buffer === undefined) return new Uint8Array(Math.min(limit, Math.max(needed, FIRST_BUFFER_BYTES)));
  if (needed <= buffer.byteLength) return buffer;
  const grown = new Uint8Array(Math.min(limit, Math.max(needed, buffer.byteLength * BUFFER_GROWTH)));
  grown.set(buffer.subarray(0, used));
  return grown;
}

function readUint32(source: Uint8Array, offset: number): number {
  return ((source[offset]! << 24) | (source[offset + 1]! << 16) | (source[offset + 2]! << 8) | source[offset + 3]!) >>>
    0;
}
