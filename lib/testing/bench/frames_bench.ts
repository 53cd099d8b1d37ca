// SPDX-License-Identifier: Apache-2.0
/** The TTRPC frame parser alone. */

import { createFrameParser, encodeFrame, MessageType } from "../../ttrpc/frame.ts";
import { OURS } from "./bench.ts";
import type { Bench } from "./bench.ts";

/** What a socket read gives at most, in bytes: node's stream chunks. */
const CHUNK_BYTES = 64 << 10;

/** How long each kind of frame is parsed, in seconds. */
const SECONDS = 1;
const QUICK_SECONDS = 0.1;

const KINDS = [
  { title: "frames of 64 B", payloadBytes: 64, frames: 10_000 },
  { title: "frames of 4 MiB", payloadBytes: 4 << 20, frames: 4 },
];

export default {
  summary: "the frame parser of lib/ttrpc, by itself",
  needs: [],
  run(o) {
    const seconds = o.seconds ?? (o.quick ? QUICK_SECONDS : SECONDS);
    for (let round = 0; round < o.rounds; round++) {
      for (const { title, payloadBytes, frames } of KINDS) {
        o.note(`round ${round + 1} of ${o.rounds}: ${title}`);
        const input = chunksOf(payloadBytes, frames);
        const began = performance.now();
        let parsed = 0;
        while (performance.now() - began < seconds * 1000) parsed += parse(input, payloadBytes, frames);
        const passed = (performance.now() - began) / 1000;
        o.add({ line: title, unit: "frames/s", better: "more" }, OURS, parsed / passed);
      }
    }
    return Promise.resolve();
  },
} satisfies Bench;

/** As they arrive: cut into chunks of a socket read. */
function chunksOf(payloadBytes: number, frames: number): Uint8Array[] {
  const frame = encodeFrame({ streamId: 1, type: MessageType.request, flags: 0 }, new Uint8Array(payloadBytes));
  const all = new Uint8Array(frame.byteLength * frames);
  for (let i = 0; i < frames; i++) all.set(frame, i * frame.byteLength);
  return Array.from({ length: Math.ceil(all.byteLength / CHUNK_BYTES) }, (_, i) => {
    return all.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES);
  });
}

function parse(chunks: readonly Uint8Array[], payloadBytes: number, frames: number): number {
  let seen = 0;
  const parser = createFrameParser({
    onFrame(_, payload) {
      if (payload.byteLength === payloadBytes) seen++;
    },
    onOversized: () => {},
  });
  for (const chunk of chunks) parser.push(chunk);
  parser.end();
  if (seen !== frames) throw new Error(`${seen} frames parsed, not ${frames}`);
  return seen;
}
