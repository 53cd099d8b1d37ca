// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("uuid.* draw and read identifiers", () => {
  checkCalls([
    ["uuid.rfc4122", ["k"], '"00010203-0405-4607-8809-0a0b0c0d0e0f"'],
    [
      "uuid.parse",
      ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6"],
      '{"clocksequence":10085,"macvariables":"global:unicast","nodeid":"00-a0-c9-1e-6b-f6","time":854991792216875000,"variant":"RFC4122","version":1}',
    ],
    ["uuid.parse", ["urn:uuid:4e4e4e4e-4e4e-4e4e-8e4e-4e4e4e4e4e4e"], '{"variant":"RFC4122","version":4}'],
    ["uuid.parse", ["x"], "undefined"],
  ]);
});
