// SPDX-License-Identifier: Apache-2.0
/** Follows the frames of one direction over raw chunks and cuts out only those that must not pass as they are. */

import { Buffer } from "node:buffer";
import { type FrameHeader, HEADER_BYTES, readHeader } from "./frame.ts";

/** First buffer, in bytes, for a collected frame that spans chunks; it doubles up to the frame's size. */
const FIRST_COLLECT_BYTES = 64 << 10;

/**
 * What becomes of a frame: `pass` forwards its bytes as they come, `drop` throws them away as they come, `collect`
 * gathers the whole frame, and `wait` holds it back until more of its payload has arrived.
 */
export type Verdict = "pass" | "drop" | "collect" | "wait";

/** Decides about frames and takes what comes out. Nothing here may throw. */
export interface FrameJudge {
  /**
   * Judges the frame whose header is at `bytes[at]`. It may change the stream id there when it lets the frame pass.
   * Not called again for this frame unless it answers `wait`, which it may only while the payload is incomplete.
   */
  judge(header: FrameHeader, bytes: Uint8Array, at: number): Verdict;
  /** Gets what passed: any number of frames and pieces of frames, in order, as views of the chunks. */
  forward(bytes: Uint8Array): void;
  /** Gets a collected frame, header included; what came before it has been forwarded. */
  collected(header: FrameHeader, frame: Uint8Array): void;
  /** Called after `interrupt()`: what has been forwarded ends with a whole frame. */
  boundary(): void;
}

export interface FrameTracker {
  /** Takes the next bytes of the direction. Their memory must belong to the caller of this direction alone. */
  push(chunk: Uint8Array): void;
  /** Asks for one call of `boundary()`, at once if what has been forwarded ends with a whole frame. */
  interrupt(): void;
  /** Stops before the next frame: bytes pushed from now on wait for `resume()`. */
  stop(): void;
  resume(): void;
}

/**
 * Creates a tracker at the beginning of a connection.
 *
 * Chunks pass whole where no frame in them needs anything; what it holds back is at most an incomplete header, or
 * what `judge` waits for.
 */
export function createFrameTracker(judge: FrameJudge): FrameTracker {
  /** Bytes held back: an incomplete header, a frame that waits, or everything since `stop()`. */
  let rest: Uint8Array | undefined;
  /** What becomes of the frame in progress, and how many of its bytes are still to come. */
  let mode: Exclude<Verdict, "wait"> = "pass";
  let left = 0;
  let collecting: { header: FrameHeader; buffer: Uint8Array; filled: number } | undefined;
  let scanning = false;
  let wanted = false;
  let stopped = false;

  function forwardRun(bytes: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    judge.forward(to - from === bytes.byteLength ? bytes : bytes.subarray(from, to));
  }

  function collect(piece: Uint8Array): void {
    if (collecting === undefined) return;
    const { header, filled } = collecting;
    const size = HEADER_BYTES + header.length;
    collecting.buffer = withRoom(collecting.buffer, filled, filled + piece.byteLength, size);
    collecting.buffer.set(piece, filled);
    collecting.filled += piece.byteLength;
    if (collecting.filled < size) return;
    const frame = collecting.buffer;
    collecting = undefined;
    judge.collected(header, frame);
  }

  /** Returns the offset up to which `bytes` are dealt with. */
  function scan(bytes: Uint8Array): number {
    const end = bytes.byteLength;
    let at = 0;
    /** Where the bytes begin that may pass and have not been forwarded yet. */
    let run = 0;
    for (;;) {
      if (left > 0) {
        if (at === end) break;
        const taken = Math.min(left, end - at);
        left -= taken;
        at += taken;
        if (mode === "pass") continue;
        run = at;
        if (mode === "collect") collect(bytes.subarray(at - taken, at));
        continue;
      }
      if (wanted) {
        forwardRun(bytes, run, at);
        run = at;
        wanted = false;
        judge.boundary();
      }
      if (stopped || end - at < HEADER_BYTES) break;
      const header = readHeader(bytes, at);
      const verdict = judge.judge(header, bytes, at);
      if (verdict === "wait") break;
      mode = verdict;
      left = HEADER_BYTES + header.length;
      if (mode === "pass") continue;
      forwardRun(bytes, run, at);
      run = at;
      if (mode === "drop") continue;
      if (left <= end - at) {
        run = at += left;
        left = 0;
        judge.collected(header, bytes.subarray(at - HEADER_BYTES - header.length, at));
      } else {
        collecting = { header, buffer: new Uint8Array(0), filled: 0 };
      }
    }
    forwardRun(bytes, run, at);
    return at;
  }

  function push(chunk: Uint8Array): void {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    scanning = true;
    const done = scan(bytes);
    scanning = false;
    if (done < bytes.byteLength) rest = bytes.subarray(done);
  }

  return {
    push,
    interrupt() {
      if (!scanning && (left === 0 || mode !== "pass")) judge.boundary();
      else wanted = true;
    },
    stop() {
      stopped = true;
    },
    resume() {
      if (!stopped) return;
      stopped = false;
      if (!scanning && rest !== undefined) push(new Uint8Array(0));
    },
  };
}

/** Returns `buffer`, or a copy of its first `used` bytes with room for `needed`; exactly `limit` when that is reached. */
function withRoom(buffer: Uint8Array, used: number, needed: number, limit: number): Uint8Array {
  if (needed <= buffer.byteLength) return buffer;
  const grown = new Uint8Array(Math.min(limit, Math.max(needed, 2 * buffer.byteLength, FIRST_COLLECT_BYTES)));
  grown.set(buffer.subarray(0, used));
  return grown;
}

/** Changes the stream id in the header at `at`. */
export function writeStreamId(bytes: Uint8Array, at: number, streamId: number): void {
  bytes[at + 4] = streamId >>> 24;
  bytes[at + 5] = streamId >>> 16;
  bytes[at + 6] = streamId >>> 8;
  bytes[at + 7] = streamId;
}
