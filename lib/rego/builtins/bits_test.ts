// SPDX-License-Identifier: Apache-2.0
import { checkCalls, num } from "../../testing/rego/builtin_calls.ts";

Deno.test("bits.* answer as OPA does", () => {
  checkCalls([
    ["bits.and", [12, 10], "8"],
    ["bits.or", [12, 10], "14"],
    ["bits.xor", [12, 10], "6"],
    ["bits.negate", [5], "-6"],
    ["bits.lsh", [1, 70], "1180591620717411303424"],
    ["bits.rsh", [num("1180591620717411303424"), 70], "1"],
    ["bits.rsh", [-1, 9999999], "-1"],
    [
      "bits.lsh",
      [1, -1],
      "eval_type_error: bits.lsh: operand 2 must be an unsigned integer number but got a negative integer",
    ],
    ["bits.and", [1.5, 1], "eval_type_error: bits.and: operand 1 must be integer number but got floating-point number"],
    ["bits.and", [num("1e3"), 1023], "1000"],
    ["bits.or", ["a", 1], "eval_type_error: bits.or: operand 1 must be integer but got string"],
  ]);
});
