// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { goldenFrame } from "../testing/golden_frames.ts";
import { HEADER_BYTES, readHeader } from "./frame.ts";
import { createFrameWriter, type FrameWriter } from "./frame_writer.ts";

function outletWithLog() {
  const written: Uint8Array[] = [];
  const outlet = {
    write: (bytes: Uint8Array) => void written.push(new Uint8Array(bytes)),
    end: (flushed: () => void) => flushed(),
  };
  return { outlet, written };
}

function writeGolden(frames: FrameWriter, name: string): void {
  const bytes = goldenFrame(name);
  frames.write(readHeader(bytes, 0), (target, offset) => target.set(bytes.subarray(HEADER_BYTES), offset));
}

Deno.test("write() sends the small frames of one turn together, in order", async () => {
  const { outlet, written } = outletWithLog();
  const frames = createFrameWriter(outlet);
  for (const name of ["F2", "F5-go", "F1"]) writeGolden(frames, name);
  assert.deepEqual(written, []);
  await Promise.resolve();
  assert.deepEqual(written, [
    new Uint8Array([...goldenFrame("F2"), ...goldenFrame("F5-go"), ...goldenFrame("F1")]),
  ]);
  writeGolden(frames, "F3");
  await Promise.resolve();
  assert.deepEqual(written[1], goldenFrame("F3"));
});

Deno.test("write() sends a large frame at once, behind the small ones before it", async () => {
  const { outlet, written } = outletWithLog();
  const frames = createFrameWriter(outlet);
  writeGolden(frames, "F1");
  frames.write({ length: 1 << 20, streamId: 3, type: 1, flags: 0 }, (target, offset) => target.fill(7, offset));
  assert.equal(written.length, 1);
  assert.equal(written[0]!.byteLength, goldenFrame("F1").byteLength + HEADER_BYTES + (1 << 20));
  await Promise.resolve();
  assert.equal(written.length, 1);
});

Deno.test("end() sends what is queued first", () => {
  const { outlet, written } = outletWithLog();
  const frames = createFrameWriter(outlet);
  writeGolden(frames, "F1");
  let isFlushed = false;
  frames.end(() => isFlushed = true);
  assert.deepEqual(written, [goldenFrame("F1")]);
  assert.ok(isFlushed);
});
