// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { PeerctlError } from "../errors.ts";
import { Code, RpcError, statusFrom } from "./status.ts";

Deno.test("statusFrom() gives each kind of PeerctlError its code", () => {
  const expected = {
    usage: Code.invalidArgument,
    config: Code.invalidArgument,
    auth: Code.unauthenticated,
    peer: Code.unavailable,
    timeout: Code.deadlineExceeded,
    closed: Code.cancelled,
    state: Code.failedPrecondition,
    limit: Code.resourceExhausted,
  } as const;
  for (const [kind, code] of Object.entries(expected)) {
    const error = new PeerctlError(kind as keyof typeof expected, "Cannot do it");
    assert.deepEqual(statusFrom(error), { code, message: "Cannot do it" });
  }
});

Deno.test("statusFrom() appends the hint", () => {
  const error = new PeerctlError("state", "Cannot start VM: not created", { hint: "call CreateVM first" });
  assert.equal(statusFrom(error).message, "Cannot start VM: not created; call CreateVM first");
});

Deno.test("statusFrom() keeps an RpcError as it is, with its details", () => {
  const details = [{ typeUrl: "type.googleapis.com/x", value: Uint8Array.of(1, 2) }];
  assert.deepEqual(statusFrom(new RpcError(77, "odd", { details })), { code: 77, message: "odd", details });
  assert.deepEqual(statusFrom(new RpcError(Code.notFound, "gone")), { code: Code.notFound, message: "gone" });
});

Deno.test("statusFrom() knows what an AbortSignal throws, and calls the rest unknown", () => {
  assert.equal(statusFrom(AbortSignal.abort().reason).code, Code.cancelled);
  assert.equal(statusFrom(new DOMException("late", "TimeoutError")).code, Code.deadlineExceeded);
  assert.deepEqual(statusFrom(new TypeError("x is not a function")), {
    code: Code.unknown,
    message: "x is not a function",
  });
  assert.deepEqual(statusFrom("just text"), { code: Code.unknown, message: "just text" });
});
