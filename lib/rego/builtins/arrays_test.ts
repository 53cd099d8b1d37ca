// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("array.* answer as OPA does", () => {
  checkCalls([
    ["array.concat", [[1], [2, 3]], "[1,2,3]"],
    ["array.concat", [[1], "x"], "eval_type_error: array.concat: operand 2 must be array but got string"],
    ["array.reverse", [[1, 2, 3]], "[3,2,1]"],
    ["array.flatten", [[1, [2, [3]], []]], "[1,2,[3]]"],
    ["array.slice", [[1, 2, 3, 4], 1, 3], "[2,3]"],
    ["array.slice", [[1, 2, 3, 4], -1, 99], "[1,2,3,4]"],
    ["array.slice", [[1, 2], 2, 1], "[]"],
    [
      "array.slice",
      [[1, 2], 0.5, 1],
      "eval_type_error: array.slice: operand 2 must be integer number but got floating-point number",
    ],
  ]);
});
