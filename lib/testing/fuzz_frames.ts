// SPDX-License-Identifier: Apache-2.0
/** Makes TTRPC frames, right and wrong, from a seed. */

import { Buffer } from "node:buffer";
import { encodeFrame, HEADER_BYTES, MAX_PAYLOAD_BYTES, writeHeader } from "../ttrpc/frame.ts";
import { dataFrame, frameHeader, requestFrame, responseFrame } from "./frames.ts";
import { goldenFrames } from "./golden_frames.ts";

/** Whole numbers from 0 to `limit` - 1. */
export type Random = (limit: number) => number;

/** Longest payload of a made-up frame, in bytes: short ones put more headers into a chunk. */
const PAYLOAD_BYTES = 200;

/** Whole frames to mutate. */
const SEEDS = goldenFrames.filter(({ name }) => !name.endsWith("header")).map(({ bytes }) => bytes);

/** Methods of the made-up requests; the targets give meaning to them. */
export const FUZZ_METHODS = ["Plain", "Held", "Refused", "Grown", "Parked"] as const;

/** Flags that mean something, and one that does not. */
const FLAGS = [0, 1, 2, 4, 5, 6, 0xff];

/** A generator of 32-bit numbers (mulberry32), good enough to vary and the same for each seed. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** Returns a function that makes the next frame of one direction of a connection. */
export function createFrameSource(random: Random): () => Uint8Array {
  let lastId = -1;

  const bytes = (limit: number) => Uint8Array.from({ length: random(limit) }, () => random(256));
  const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
  /** Mostly an id in use, sometimes any. */
  const someId = () => random(20) === 0 ? random(0xffff_ffff) : Math.max(1, lastId - 2 * random(10));

  function request(): Uint8Array {
    lastId += 2;
    const id = random(50) === 0 ? someId() : lastId;
    const metadata = random(4) === 0 ? [{ key: "k", value: "v".repeat(random(20)) }] : [];
    const timeoutNanos = pick([0n, 0n, 1n, -1n, 2_000_000n, 60_000_000_000n, 2n ** 63n - 1n]);
    const method = random(20) === 0 ? "Nope" : pick(FUZZ_METHODS);
    return requestFrame(id, { method, payload: bytes(PAYLOAD_BYTES), metadata, timeoutNanos }, pick(FLAGS));
  }

  function mutated(): Uint8Array {
    let frame = Buffer.from(pick(SEEDS));
    for (let i = random(4); i >= 0; i--) {
      const at = random(frame.byteLength);
      const piece = frame.subarray(at, at + 1 + random(8));
      switch (random(4)) {
        case 0:
          frame[at] = random(256);
          break;
        case 1:
          frame = Buffer.concat([frame.subarray(0, at), piece, frame.subarray(at)]);
          break;
        case 2:
          frame = Buffer.concat([frame.subarray(0, at), frame.subarray(at + piece.byteLength), Buffer.alloc(1)]);
          break;
        case 3:
          frame = Buffer.concat([frame.subarray(0, at), bytes(8), frame.subarray(at)]);
      }
    }
    // After a wrong length nothing on the connection is a frame any more, so most are put right.
    if (random(1000) === 0) return frame;
    if (frame.byteLength < HEADER_BYTES) frame = Buffer.concat([frame, Buffer.alloc(HEADER_BYTES - frame.byteLength)]);
    frame.writeUInt32BE(frame.byteLength - HEADER_BYTES, 0);
    return frame;
  }

  function oversized(): Uint8Array {
    const length = MAX_PAYLOAD_BYTES + 1 + random(1000);
    const frame = new Uint8Array(HEADER_BYTES + length);
    writeHeader(frame, 0, { length, streamId: someId(), type: random(4), flags: pick(FLAGS) });
    return frame;
  }

  return () => {
    const kind = random(10_000);
    if (kind === 0) return oversized();
    if (kind < 2) return frameHeader(random(100_000), someId(), random(5), pick(FLAGS));
    if (kind < 4) return frameHeader(random(600), someId(), random(5), pick(FLAGS));
    if (kind < 4000) return request();
    if (kind < 5000) return dataFrame(someId(), bytes(PAYLOAD_BYTES), pick(FLAGS));
    if (kind < 6000) return responseFrame(someId(), random(2) === 0 ? bytes(50) : { code: random(20), message: "m" });
    if (kind < 8500) return mutated();
    return encodeFrame({ streamId: someId(), type: random(256), flags: random(256) }, bytes(PAYLOAD_BYTES));
  };
}

/** Cuts `frames` into chunks that know nothing of their borders: single bytes, pieces, many frames at once. */
export function* cutAnywhere(frames: readonly Uint8Array[], random: Random): Generator<Uint8Array> {
  const all = Buffer.concat(frames);
  for (let from = 0; from < all.byteLength;) {
    const size = 1 + random([2, 20, 300, 65_536, 65_536, 65_536][random(6)]!);
    // A copy: whoever gets a chunk may change it.
    yield new Uint8Array(all.subarray(from, from + size));
    from += size;
  }
}
