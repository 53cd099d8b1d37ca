// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import fc from "fast-check";
import { dataFrame, frameHeader, requestFrame, responseFrame } from "../testing/frames.ts";
import { createFrameTracker, type FrameJudge, type Verdict } from "./frame_tracker.ts";

/** A tracker that judges by the frame's flags, and what came out of it. */
function trackerWithLog(judge: FrameJudge["judge"]) {
  const forwarded: Uint8Array[] = [];
  const collected: string[] = [];
  let boundaries = 0;
  const tracker = createFrameTracker({
    judge,
    forward: (bytes) => void forwarded.push(bytes),
    collected: (_, frame) => {
      collected.push(Buffer.from(frame).toString("hex"));
      forwarded.push(Buffer.from("|"));
    },
    boundary() {
      boundaries++;
      forwarded.push(Buffer.from("!"));
    },
  });
  return {
    tracker,
    forwarded,
    collected,
    text: () => Buffer.concat(forwarded).toString("latin1"),
    boundaries: () => boundaries,
  };
}

const VERDICTS: readonly Verdict[] = ["pass", "drop", "collect"];
const byFlags: FrameJudge["judge"] = ({ flags }) => VERDICTS[flags] ?? "pass";

Deno.test("push() forwards a chunk of whole frames as it is, with no copy", () => {
  const { tracker, forwarded } = trackerWithLog(() => "pass");
  const chunk = Buffer.concat([requestFrame(1), responseFrame(3), dataFrame(5, new Uint8Array(100))]);
  tracker.push(chunk);
  assert.equal(forwarded.length, 1);
  assert.equal(forwarded[0], chunk);
});

Deno.test("push() holds back an incomplete header and nothing else", () => {
  const { tracker, text } = trackerWithLog(() => "pass");
  const frame = dataFrame(7, Buffer.from("abcdef"));
  for (let end = 1; end < 10; end++) {
    tracker.push(frame.subarray(end - 1, end));
    assert.equal(text(), "");
  }
  tracker.push(frame.subarray(9, 12));
  assert.equal(text().slice(10), "ab");
  tracker.push(frame.subarray(12));
  assert.equal(text().slice(10), "abcdef");
});

Deno.test("push() treats frames alike however they are cut", () => {
  const arbitraryFrames = fc.array(
    fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 2 })),
    { maxLength: 8 },
  );
  fc.assert(fc.property(arbitraryFrames, fc.array(fc.nat({ max: 400 }), { maxLength: 10 }), (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(([payload, flags], i) => dataFrame(2 * i + 1, payload, flags)));
    const whole = trackerWithLog(byFlags);
    whole.tracker.push(new Uint8Array(bytes));

    const pieces = trackerWithLog(byFlags);
    const ends = [...cuts.map((cut) => Math.min(cut, bytes.byteLength)), bytes.byteLength].sort((a, b) => a - b);
    let from = 0;
    for (const end of ends) {
      pieces.tracker.push(new Uint8Array(bytes.subarray(from, end)));
      from = end;
    }
    assert.equal(pieces.text(), whole.text());
    assert.deepEqual(pieces.collected, whole.collected);
    const passed = frames.filter(([, flags]) => flags === 0).map(([payload]) => payload.byteLength + 10);
    assert.equal(
      whole.text().length,
      passed.reduce((a, b) => a + b, whole.collected.length),
    );
  }));
});

Deno.test("push() judges a frame that waits again when more of it is there", () => {
  const available: number[] = [];
  const { tracker, text } = trackerWithLog((_, bytes, at) => {
    available.push(bytes.byteLength - at);
    return bytes.byteLength - at < 14 ? "wait" : "pass";
  });
  const frame = dataFrame(1, Buffer.from("abcdef"));
  tracker.push(frame.slice(0, 11));
  tracker.push(frame.slice(11, 13));
  assert.equal(text(), "");
  tracker.push(frame.slice(13, 15));
  assert.deepEqual(available, [11, 13, 15]);
  assert.equal(text().slice(10), "abcde");
});

Deno.test("push() throws a frame of 4 GiB away as it comes", () => {
  const { tracker, forwarded } = trackerWithLog((header) => header.length > 1000 ? "drop" : "pass");
  tracker.push(frameHeader(0xffff_ffff, 1, 1));
  const piece = new Uint8Array(1 << 20);
  for (let left = 0xffff_ffff; left > 0; left -= piece.byteLength) {
    tracker.push(left < piece.byteLength ? piece.subarray(0, left) : piece);
  }
  assert.equal(forwarded.length, 0);
  const next = requestFrame(3);
  tracker.push(next);
  assert.equal(forwarded[0], next);
});

Deno.test("interrupt() calls boundary() at once between two frames", () => {
  const { tracker, boundaries } = trackerWithLog(() => "pass");
  tracker.interrupt();
  assert.equal(boundaries(), 1);
  tracker.push(requestFrame(1).subarray(0, 4));
  tracker.interrupt();
  assert.equal(boundaries(), 2, "a header that is held back is no frame yet");
});

Deno.test("interrupt() waits for the end of the frame that passes, also in the middle of a chunk", () => {
  const { tracker, text, boundaries } = trackerWithLog(() => "pass");
  const first = dataFrame(1, Buffer.from("aaaa"));
  const second = dataFrame(3, Buffer.from("bbbb"));
  tracker.push(first.slice(0, 12));
  tracker.interrupt();
  assert.equal(boundaries(), 0);
  tracker.push(Buffer.concat([first.subarray(12), second.subarray(0, 12)]));
  assert.equal(boundaries(), 1);
  assert.match(text(), /aaaa!.{10}bb$/s);
});

Deno.test("interrupt() does not wait for a frame that is thrown away or gathered", () => {
  for (const verdict of ["drop", "collect"] as const) {
    const { tracker, boundaries } = trackerWithLog(() => verdict);
    tracker.push(dataFrame(1, new Uint8Array(10)).slice(0, 15));
    tracker.interrupt();
    assert.equal(boundaries(), 1, verdict);
  }
});

Deno.test("stop() lets the frame in progress pass and keeps the next until resume()", () => {
  const { tracker, text } = trackerWithLog(() => "pass");
  const frames = Buffer.concat([dataFrame(1, Buffer.from("aaaa")), dataFrame(3, Buffer.from("bbbb"))]);
  tracker.push(frames.subarray(0, 12));
  tracker.stop();
  tracker.push(frames.subarray(12, 20));
  tracker.push(frames.subarray(20));
  assert.match(text(), /aaaa$/);
  tracker.resume();
  assert.equal(text(), frames.toString("latin1"));
});

Deno.test("push() gathers a large frame from single bytes", () => {
  const { tracker, collected } = trackerWithLog(() => "collect");
  const frame = dataFrame(1, new Uint8Array(100_000).fill(7));
  for (let i = 0; i < frame.byteLength; i++) tracker.push(frame.subarray(i, i + 1));
  assert.deepEqual(collected, [Buffer.from(frame).toString("hex")]);
});
