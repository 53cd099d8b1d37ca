// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import assert from "node:assert/strict";
import { goldenFrame } from "../testing/golden_frames.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type RequestEnvelope,
  type ResponseEnvelope,
} from "./envelope.ts";
import { HEADER_BYTES } from "./frame.ts";
import { Code } from "./status.ts";

const NOTHING = new Uint8Array(0);

const check: RequestEnvelope = {
  service: "grpc.Health",
  method: "Check",
  payload: NOTHING,
  timeoutNanos: 0n,
  metadata: [],
};

const goldenRequests: ReadonlyArray<readonly [string, RequestEnvelope]> = [
  ["F1", check],
  ["F2", {
    service: "grpc.AgentService",
    method: "StartContainer",
    payload: Uint8Array.fromHex("0a026331"),
    timeoutNanos: 60_000_000_000n,
    metadata: [],
  }],
  ["F3", { ...check, metadata: [{ key: "k", value: "v1" }, { key: "k", value: "v2" }] }],
  ["F7-open", { ...check, service: "t.S", method: "Watch", payload: Uint8Array.fromHex("0a0178") }],
  ["F8-go", { ...check, service: "t.S", method: "Chat" }],
  ["F14", { ...check, timeoutNanos: -1n }],
  ["F15", {
    ...check,
    service: "hypervisor.Hypervisor",
    method: "CreateVM",
    payload: Uint8Array.fromHex("0a0373623112060a01611201621a022f6e"),
  }],
];

const serving = Uint8Array.fromHex("0801");
const ok = { code: Code.ok, message: "" };
const goldenResponses: ReadonlyArray<readonly [string, ResponseEnvelope]> = [
  ["F4-go", { payload: serving }],
  ["F4-rust", { status: ok, payload: serving }],
  ["F5-go", { payload: NOTHING }],
  ["F5-rust", { status: ok, payload: NOTHING }],
  ["F6", { status: { code: Code.unimplemented, message: "method Nope" }, payload: NOTHING }],
  ["F9-reply", {
    status: { code: Code.resourceExhausted, message: "message length 4194305 exceed maximum message size of 4194304" },
    payload: NOTHING,
  }],
  ["F12-reply-go", {
    status: { code: Code.invalidArgument, message: "StreamID is no longer active" },
    payload: NOTHING,
  }],
];

function goldenPayload(name: string): Uint8Array {
  return goldenFrame(name).subarray(HEADER_BYTES);
}

Deno.test("encodeRequest() writes and decodeRequest() reads the golden requests", () => {
  for (const [name, request] of goldenRequests) {
    assert.deepEqual(decodeRequest(goldenPayload(name)), request, name);
    assert.deepEqual(encodeRequest(request), goldenPayload(name), name);
  }
});

Deno.test("encodeResponse() writes and decodeResponse() reads the golden responses, of Go and of Rust", () => {
  for (const [name, response] of goldenResponses) {
    assert.deepEqual(decodeResponse(goldenPayload(name)), response, name);
    assert.deepEqual(encodeResponse(response), goldenPayload(name), name);
  }
});

/** Objects with the usual prototype, which deepEqual compares. */
const plain = { noNullPrototype: true } as const;

const bytes = fc.uint8Array({ maxLength: 200 });
// Halves of surrogate pairs have no UTF-8: whole characters only.
const text = fc.string({ unit: "binary", maxLength: 200 });

Deno.test("decodeRequest() reads back whatever encodeRequest() wrote", () => {
  const request: fc.Arbitrary<RequestEnvelope> = fc.record({
    service: text,
    method: text,
    payload: bytes,
    timeoutNanos: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    metadata: fc.array(fc.record({ key: text, value: text }, plain), { maxLength: 5 }),
  }, plain);
  fc.assert(fc.property(request, (request) => assert.deepEqual(decodeRequest(encodeRequest(request)), request)));
});

Deno.test("encodeRequest() writes timeouts of every length", () => {
  for (let bits = 0n; bits < 63n; bits++) {
    for (const timeoutNanos of [2n ** bits - 1n, 2n ** bits, -(2n ** bits), 2n ** 63n - 1n]) {
      assert.equal(decodeRequest(encodeRequest({ ...check, timeoutNanos })).timeoutNanos, timeoutNanos);
    }
  }
});

Deno.test("decodeResponse() reads back whatever encodeResponse() wrote", () => {
  const detail = fc.record({ typeUrl: text, value: bytes }, plain);
  const status = fc.record({
    code: fc.integer(),
    message: text,
    details: fc.array(detail, { minLength: 1, maxLength: 3 }),
  }, { ...plain, requiredKeys: ["code", "message"] });
  const response = fc.record({ status, payload: bytes }, { ...plain, requiredKeys: ["payload"] });
  fc.assert(fc.property(response, (sent) => {
    const received = decodeResponse(encodeResponse(sent as ResponseEnvelope));
    assert.deepEqual(received, sent);
  }));
});

Deno.test("decodeRequest() refuses a message that is cut inside a field", () => {
  const whole = goldenPayload("F2");
  const fieldEnds = [0, 19, 35, 41];
  for (let cut = 0; cut < whole.byteLength; cut++) {
    const decode = () => decodeRequest(whole.subarray(0, cut));
    if (fieldEnds.includes(cut)) decode();
    else assert.throws(decode, { kind: "peer", message: /^Cannot decode TTRPC request: / }, `cut at ${cut}`);
  }
  assert.throws(() => decodeRequest(goldenPayload("F13")), { kind: "peer" });
});

Deno.test("decodeRequest() refuses what is no protobuf at all", () => {
  // Field number 0, wire type 7, an endless varint, a length of 4 GiB, an end of a group that never began.
  for (const hex of ["0000", "0f", "20ffffffffffffffffffffff01", "1affffffff0f", "0c", "0affffffffffffffffffff7f"]) {
    assert.throws(() => decodeRequest(Uint8Array.fromHex(hex)), { kind: "peer" }, hex);
  }
});

Deno.test("decodeRequest() never throws anything but a PeerctlError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
    for (const decode of [decodeRequest, decodeResponse]) {
      try {
        decode(noise);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, "peer");
      }
    }
  }));
});

Deno.test("decodeRequest() skips unknown fields and known numbers with a foreign type", () => {
  // Field 100 as text, varint, 32 and 64 bits and group; then service as a varint and timeout as text.
  const unknown = "a206" + "0178" + "a006" + "05" + "a506" + "00000000" + "a106" + "0000000000000000" +
    "a306" + "0801" + "a406" + "0807" + "2202" + "6162";
  const noise = Uint8Array.fromHex(unknown);
  const golden = goldenPayload("F2");
  assert.deepEqual(decodeRequest(new Uint8Array([...noise, ...golden, ...noise])), decodeRequest(golden));
});

Deno.test("decodeRequest() takes the last of a repeated single field and all metadata", () => {
  const twice = new Uint8Array([...goldenPayload("F3"), ...goldenPayload("F2"), ...goldenPayload("F3")]);
  const request = decodeRequest(twice);
  assert.equal(request.service, "grpc.Health");
  assert.equal(request.method, "Check");
  assert.equal(request.timeoutNanos, 60_000_000_000n);
  assert.deepEqual(request.metadata.map(({ value }) => value), ["v1", "v2", "v1", "v2"]);
});

Deno.test("decodeRequest() replaces broken UTF-8 and keeps a byte order mark", () => {
  assert.equal(decodeRequest(Uint8Array.fromHex("0a03ff6162")).service, "\ufffdab");
  assert.equal(decodeRequest(Uint8Array.fromHex("0a04efbbbf61")).service, "\ufeffa");
  assert.equal(decodeRequest(encodeRequest({ ...check, service: "a\ud800b" })).service, "a\ufffdb");
});

Deno.test("decodeResponse() merges a status that comes in two parts", () => {
  const detail = { typeUrl: "t", value: Uint8Array.of(1) };
  const first = encodeResponse({ status: { code: 5, message: "first", details: [detail] }, payload: NOTHING });
  const second = encodeResponse({ status: { code: 0, message: "second", details: [detail] }, payload: serving });
  assert.deepEqual(decodeResponse(new Uint8Array([...first, ...second])), {
    status: { code: 5, message: "second", details: [detail, detail] },
    payload: serving,
  });
});
