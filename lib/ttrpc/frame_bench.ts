// SPDX-License-Identifier: Apache-2.0
import { createFrameParser, encodeFrame, MessageType } from "./frame.ts";

/** Bytes a socket read gives at most: node's stream chunks. */
const CHUNK_BYTES = 64 << 10;

/** Frames of one run each, as they arrive: cut into chunks of a socket read. */
function chunks(payloadBytes: number, frames: number): Uint8Array[] {
  const frame = encodeFrame({ streamId: 1, type: MessageType.request, flags: 0 }, new Uint8Array(payloadBytes));
  const all = new Uint8Array(frame.byteLength * frames);
  for (let i = 0; i < frames; i++) all.set(frame, i * frame.byteLength);
  return Array.from({ length: Math.ceil(all.byteLength / CHUNK_BYTES) }, (_, i) => {
    return all.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES);
  });
}

for (const [title, payloadBytes, frames] of [["10,000 of 64 B", 64, 10_000], ["4 of 4 MiB", 4 << 20, 4]] as const) {
  const input = chunks(payloadBytes, frames);
  Deno.bench(`createFrameParser() parses ${title}`, () => {
    let seen = 0;
    const parser = createFrameParser({ onFrame: () => seen++, onOversized: () => {} });
    for (const chunk of input) parser.push(chunk);
    parser.end();
    if (seen !== frames) throw new Error(`${seen} frames parsed, not ${frames}`);
  });
}
