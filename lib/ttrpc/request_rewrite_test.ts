// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { requestFrame } from "../testing/frames.ts";
import { goldenFrame } from "../testing/golden_frames.ts";
import { decodeRequest } from "./envelope.ts";
import { encodeFrame, HEADER_BYTES, MAX_PAYLOAD_BYTES, MessageType, readHeader } from "./frame.ts";
import { createMethodMatcher, type Match, readRequestParts, replacePayload } from "./request_rewrite.ts";

const matcher = createMethodMatcher(["grpc.AgentService/CreateContainer", "grpc.AgentService/CreateSandbox"]);

function match(envelope: Uint8Array, available = envelope.byteLength): Match {
  return matcher.match(envelope.subarray(0, available), 0, envelope.byteLength);
}

function envelopeOf(service: string, method: string): Uint8Array {
  return requestFrame(1, { service, method, payload: new Uint8Array(9) }).slice(HEADER_BYTES);
}

/** Text fields in the given order. */
function fields(...pairs: ReadonlyArray<readonly [number, string]>): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, text] of pairs) writer.tag(field, WireType.LengthDelimited).string(text);
  return writer.finish();
}

function frameOf(envelope: Uint8Array): Uint8Array {
  return encodeFrame({ streamId: 3, type: MessageType.request, flags: 0 }, envelope);
}

Deno.test("match() tells a method of the set from others of the same service", () => {
  assert.equal(match(envelopeOf("grpc.AgentService", "CreateContainer")), "yes");
  assert.equal(match(envelopeOf("grpc.AgentService", "CreateSandbox")), "yes");
  assert.equal(match(envelopeOf("grpc.AgentService", "CreateContainers")), "no");
  assert.equal(match(envelopeOf("grpc.AgentService", "CreateContaine")), "no");
  assert.equal(match(envelopeOf("grpc.AgentServicf", "CreateContainer")), "no");
  assert.equal(match(envelopeOf("grpc.Health", "Check")), "no");
});

Deno.test("match() never changes its mind when more of the envelope arrives", () => {
  const names = ["grpc.AgentService", "CreateContainer", "CreateSandbox", "Check", "", "x".repeat(200)];
  const text = fc.constantFrom(...names);
  const envelope = fc.array(fc.tuple(fc.constantFrom(1, 2, 3, 100), text), { maxLength: 5 });
  fc.assert(fc.property(envelope, (pairs) => {
    const bytes = fields(...pairs);
    const final = match(bytes);
    assert.notEqual(final, "more");
    for (let available = 0; available < bytes.byteLength; available++) {
      const early = match(bytes, available);
      assert.ok(early === "more" || early === final, `${early} after ${available} bytes, ${final} in the end`);
    }
    const last = decodeRequest(bytes);
    const first = (wanted: number) => pairs.find(([field]) => field === wanted)?.[1];
    const isNamedOnce = first(1) === last.service && first(2) === last.method;
    if (isNamedOnce && final === "no") {
      assert.notEqual(`${last.service}/${last.method}`, "grpc.AgentService/CreateContainer");
      assert.notEqual(`${last.service}/${last.method}`, "grpc.AgentService/CreateSandbox");
    }
  }));
});

Deno.test("match() needs no more bytes than the longest name takes", () => {
  const envelope = fields([1, "grpc.AgentService"], [2, "CreateContainerButMuchLonger"], [3, "x".repeat(1000)]);
  assert.notEqual(match(envelope, 36), "more");
});

Deno.test("match() asks for the whole envelope when it does not begin plainly with service and method", () => {
  assert.equal(match(fields([3, "payload"], [1, "grpc.AgentService"], [2, "CreateContainer"])), "unclear");
  assert.equal(match(fields([2, "CreateContainer"], [1, "grpc.AgentService"])), "unclear");
  assert.equal(match(fields([1, "grpc.AgentService"], [3, "p"], [2, "CreateContainer"])), "unclear");
  assert.equal(match(fields([100, "new"], [1, "grpc.AgentService"], [2, "CreateContainer"])), "unclear");
  // The length 17 in two bytes: allowed, and no encoder does it.
  const plain = fields([1, "grpc.AgentService"], [2, "CreateContainer"]);
  assert.equal(match(Buffer.concat([Uint8Array.of(0x0a, 0x91, 0x00), plain.subarray(2)])), "unclear");
});

Deno.test("match() does not wait for what a broken length promises", () => {
  assert.equal(match(Uint8Array.fromHex("0a056162")), "no");
  assert.equal(match(new Uint8Array(0)), "no");
});

Deno.test("readRequestParts() finds the payload wherever it stands, and the last of two", () => {
  const envelope = fields([3, "first"], [1, "t.S"], [3, "second"], [2, "M"]);
  const parts = readRequestParts(frameOf(envelope));
  assert.equal(parts?.name, "t.S/M");
  assert.equal(Buffer.from(parts.payload).toString(), "second");
});

Deno.test("readRequestParts() refuses what is no protobuf message", () => {
  assert.equal(readRequestParts(goldenFrame("F13")), undefined);
});

Deno.test("replacePayload() changes the payload and not one byte beside it", () => {
  const writer = new BinaryWriter();
  writer.tag(100, WireType.LengthDelimited).string("unknown before");
  writer.raw(fields([1, "t.S"], [2, "M"]));
  const before = writer.finish();
  const after = Buffer.concat([
    fields([101, "unknown between"]),
    requestFrame(1, { service: "", method: "", timeoutNanos: -1n, metadata: [{ key: "k", value: "v" }] })
      .subarray(HEADER_BYTES),
  ]);
  const frame = frameOf(Buffer.concat([before, fields([3, "old payload"]), after]));
  const parts = readRequestParts(frame)!;
  for (const payload of ["", "new", "x".repeat(300)]) {
    const replaced = replacePayload(frame, readHeader(frame, 0), parts, Buffer.from(payload));
    assert.deepEqual(replaced, frameOf(Buffer.concat([before, fields([3, payload]), after])));
  }
});

Deno.test("replacePayload() adds a payload where there was none", () => {
  const frame = requestFrame(5, { timeoutNanos: 9n });
  const replaced = replacePayload(frame, readHeader(frame, 0), readRequestParts(frame)!, Buffer.from("new"));
  const { service, method, payload, timeoutNanos } = decodeRequest(replaced.subarray(HEADER_BYTES));
  assert.deepEqual([service, method, Buffer.from(payload).toString(), timeoutNanos], ["t.S", "Plain", "new", 9n]);
  assert.equal(readHeader(replaced, 0).length, replaced.byteLength - HEADER_BYTES);
});

Deno.test("replacePayload() refuses one byte over the limit and takes the limit", () => {
  const frame = requestFrame(1);
  const room = MAX_PAYLOAD_BYTES - (frame.byteLength - HEADER_BYTES) - 5;
  const replace = (size: number) =>
    replacePayload(frame, readHeader(frame, 0), readRequestParts(frame)!, new Uint8Array(size));
  assert.equal(replace(room).byteLength, HEADER_BYTES + MAX_PAYLOAD_BYTES);
  assert.throws(() => replace(room + 1), { code: 8, message: /^message length 4194305 exceed maximum/ });
});
