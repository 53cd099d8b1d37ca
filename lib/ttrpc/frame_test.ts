// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import assert from "node:assert/strict";
import { goldenFrame, goldenFrames } from "../testing/golden_frames.ts";
import {
  createFrameParser,
  encodeFrame,
  type FrameHeader,
  type FrameParser,
  HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
  MessageType,
  oversizeText,
  readHeader,
} from "./frame.ts";

/** Golden frames that have their payload; the two of 4 MiB are kept as headers. */
const wholeFrames = goldenFrames.filter(({ name }) => !name.endsWith("header"));

const MIB = 1 << 20;

interface Seen {
  readonly header: FrameHeader;
  readonly payload: Uint8Array;
}

function parserWithLog(): { parser: FrameParser; frames: Seen[]; oversized: FrameHeader[] } {
  const frames: Seen[] = [];
  const oversized: FrameHeader[] = [];
  const parser = createFrameParser({
    onFrame: (header, payload) => frames.push({ header, payload }),
    onOversized: (header) => oversized.push(header),
  });
  return { parser, frames, oversized };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("encodeFrame() writes every golden frame from its parts", () => {
  for (const { name, bytes } of wholeFrames) {
    assert.deepEqual(encodeFrame(readHeader(bytes, 0), bytes.subarray(HEADER_BYTES)), bytes, name);
  }
});

Deno.test("encodeFrame() takes 4 MiB and not a byte more", () => {
  const header = { streamId: 0xfffffffd, type: MessageType.request, flags: 0 };
  const frame = encodeFrame(header, new Uint8Array(MAX_PAYLOAD_BYTES));
  assert.deepEqual(readHeader(frame, 0), { length: MAX_PAYLOAD_BYTES, ...header });
  assert.throws(() => encodeFrame(header, new Uint8Array(MAX_PAYLOAD_BYTES + 1)), {
    kind: "limit",
    message: `Cannot encode frame: ${oversizeText(MAX_PAYLOAD_BYTES + 1)}`,
  });
});

Deno.test("push() reports every golden frame of one chunk", () => {
  const { parser, frames } = parserWithLog();
  parser.push(concat(wholeFrames.map(({ bytes }) => bytes)));
  assert.deepEqual(
    frames,
    wholeFrames.map(({ bytes }) => ({ header: readHeader(bytes, 0), payload: bytes.subarray(HEADER_BYTES) })),
  );
  parser.end();
});

Deno.test("push() does not care where a frame is cut", () => {
  const bytes = concat([goldenFrame("F2"), goldenFrame("F5-go"), goldenFrame("F3")]);
  for (let cut = 0; cut <= bytes.byteLength; cut++) {
    const { parser, frames } = parserWithLog();
    parser.push(bytes.subarray(0, cut));
    parser.push(bytes.subarray(cut));
    assert.deepEqual(frames.map(({ header }) => header.streamId), [3, 3, 5], `cut at ${cut}`);
    assert.deepEqual(frames[0]!.payload, goldenFrame("F2").subarray(HEADER_BYTES), `cut at ${cut}`);
    assert.deepEqual(frames[2]!.payload, goldenFrame("F3").subarray(HEADER_BYTES), `cut at ${cut}`);
    parser.end();
  }
});

Deno.test("push() reports the same frames for any frames and any cuts", () => {
  const frame = fc.record({
    streamId: fc.nat(0xffffffff),
    type: fc.nat(255),
    flags: fc.nat(255),
    payload: fc.uint8Array({ maxLength: 300 }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(4000)), (sent, cuts) => {
    const bytes = concat(sent.map(({ payload, ...header }) => encodeFrame(header, payload)));
    const { parser, frames } = parserWithLog();
    let from = 0;
    for (const cut of cuts.map((cut) => Math.min(cut, bytes.byteLength)).sort((a, b) => a - b)) {
      parser.push(bytes.subarray(from, cut));
      from = cut;
    }
    parser.push(bytes.subarray(from));
    parser.end();
    const received = frames.map(({ header: { length, ...header }, payload }) => {
      assert.equal(length, payload.byteLength);
      return { ...header, payload };
    });
    assert.deepEqual(received, sent);
  }));
});

Deno.test("push() gives a view of the chunk for a whole frame and a copy for a cut one", () => {
  const { parser, frames } = parserWithLog();
  const chunk = goldenFrame("F2").slice();
  parser.push(chunk);
  parser.push(chunk.subarray(0, 20));
  parser.push(chunk.subarray(20));
  chunk.fill(0xff);
  assert.equal(frames[0]!.payload.buffer, chunk.buffer);
  assert.deepEqual(frames[1]!.payload, goldenFrame("F2").subarray(HEADER_BYTES));
});

Deno.test("push() joins a payload of 4 MiB from small chunks", () => {
  const payload = Uint8Array.from({ length: MAX_PAYLOAD_BYTES }, (_, i) => i * 31 >>> 3);
  const bytes = encodeFrame({ streamId: 13, type: MessageType.request, flags: 0 }, payload);
  assert.deepEqual(bytes.subarray(0, HEADER_BYTES), goldenFrame("F9-boundary-header"));
  const { parser, frames, oversized } = parserWithLog();
  for (let offset = 0; offset < bytes.byteLength; offset += 50_000) {
    parser.push(bytes.subarray(offset, offset + 50_000));
  }
  assert.equal(frames.length, 1);
  assert.ok(frames[0]!.payload.every((byte, i) => byte === payload[i]));
  assert.deepEqual(oversized, []);
});

Deno.test("push() throws an oversized payload away, reports it once, and goes on", () => {
  const { parser, frames, oversized } = parserWithLog();
  parser.push(goldenFrame("F9-header"));
  const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
  parser.push(payload.subarray(0, MAX_PAYLOAD_BYTES));
  assert.deepEqual(oversized, []);
  parser.push(concat([payload.subarray(MAX_PAYLOAD_BYTES), goldenFrame("F1")]));
  assert.deepEqual(oversized, [{ length: MAX_PAYLOAD_BYTES + 1, streamId: 11, type: MessageType.request, flags: 0 }]);
  assert.deepEqual(frames.map(({ header }) => header.streamId), [1]);
  parser.end();
});

Deno.test("push() keeps nothing of a frame that declares 4 GiB", () => {
  const { parser, oversized } = parserWithLog();
  const header = Uint8Array.fromHex("ffffffff00000001" + "0100");
  const chunk = new Uint8Array(MIB);
  const before = Deno.memoryUsage().external;
  parser.push(header);
  for (let i = 0; i < 4095; i++) parser.push(chunk);
  assert.ok(Deno.memoryUsage().external - before < 8 * MIB);
  assert.deepEqual(oversized, []);
  parser.push(chunk.subarray(1));
  assert.deepEqual(oversized.map(({ length }) => length), [0xffffffff]);
});

Deno.test("push() allocates by what has arrived, not by what was declared", () => {
  const before = Deno.memoryUsage().external;
  const idle = Array.from({ length: 500 }, (_, i) => {
    const { parser } = parserWithLog();
    parser.push(goldenFrame("F9-boundary-header"));
    if (i < 50) parser.push(new Uint8Array(1));
    return parser;
  });
  assert.ok(Deno.memoryUsage().external - before < 16 * MIB);
  assert.throws(() => idle[0]!.end(), { kind: "closed" });
});

Deno.test("end() accepts the end between two frames only", () => {
  for (const name of ["F1", "F5-go"]) {
    const bytes = goldenFrame(name);
    for (let cut = 0; cut <= bytes.byteLength; cut++) {
      const { parser } = parserWithLog();
      parser.push(bytes.subarray(0, cut));
      if (cut === 0 || cut === bytes.byteLength) parser.end();
      else {assert.throws(() => parser.end(), {
          kind: "closed",
          message: /^Cannot read frame: .* (header|payload) bytes$/,
        });}
    }
  }
});

Deno.test("end() says how much of the frame was missing", () => {
  const first = parserWithLog().parser;
  first.push(goldenFrame("F1").subarray(0, 7));
  assert.throws(() => first.end(), {
    message: "Cannot read frame: the connection ended after 7 of 10 header bytes",
  });
  const second = parserWithLog().parser;
  second.push(goldenFrame("F9-header"));
  second.push(new Uint8Array(5));
  assert.throws(() => second.end(), {
    message: "Cannot read frame: the connection ended after 5 of 4194305 payload bytes",
  });
});
