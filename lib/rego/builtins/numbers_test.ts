// SPDX-License-Identifier: Apache-2.0
import { checkCalls, num, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("arithmetic answers as OPA does", () => {
  checkCalls([
    ["plus", [num("9007199254740993"), 1], "9007199254740994"],
    ["plus", [0.1, 0.2], "0.3"],
    ["minus", [set(1, 2), set(2)], "[1]"],
    ["minus", [1, set(1)], "eval_type_error: minus: operand 2 must be number but got set"],
    ["mul", [num("4294967296"), num("4294967296")], "18446744073709551616"],
    ["div", [1, 3], "0.33333333333333333334"],
    ["div", [1, 0], "eval_builtin_error: div: divide by zero"],
    ["rem", [-7, 3], "-1"],
    ["rem", [1.5, 1], "eval_builtin_error: rem: modulo on floating-point number"],
    ["rem", [1, 0], "eval_builtin_error: rem: modulo by zero"],
    ["abs", [-2.5], "2.5"],
    ["ceil", [1.2], "2"],
    ["floor", [-1.2], "-2"],
    ["round", [2.5], "3"],
    ["numbers.range", [3, 1], "[3,2,1]"],
    ["numbers.range", [1, 1], "[1]"],
    [
      "numbers.range",
      [1, 1.5],
      "eval_type_error: numbers.range: operand 2 must be integer number but got floating-point number",
    ],
    ["numbers.range_step", [0, 10, 4], "[0,4,8]"],
    [
      "numbers.range_step",
      [0, 10, 0],
      "eval_builtin_error: numbers.range_step: numbers.range_step: step must be a positive integer",
    ],
  ]);
});
