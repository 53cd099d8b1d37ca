// SPDX-License-Identifier: Apache-2.0
import { checkCalls, num, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("count, sum, product, max, min and sort answer as OPA does", () => {
  checkCalls([
    ["count", ["😀é"], "2"],
    ["count", [[1, 2]], "2"],
    ["count", [{ a: 1 }], "1"],
    ["count", [set(1)], "1"],
    ["sum", [[1, 2, 3]], "6"],
    ["sum", [[0.1, 0.2]], "0.3"],
    ["sum", [[num("18446744073709551617"), 1]], "18446744073709551618"],
    ["sum", [set(1, 2.5)], "3.5"],
    ["sum", [[]], "0"],
    ["sum", [["a"]], "eval_type_error: sum: operand 1 must be array of numbers but got array containing string"],
    ["sum", ["a"], "eval_type_error: sum: operand 1 must be one of {set, array} but got string"],
    ["product", [[2, 3]], "6"],
    ["product", [[0.1, 3]], "0.30000000000000004"],
    ["product", [[num("18446744073709551617"), 10]], "184467440737095516170"],
    ["product", [[]], "1"],
    ["max", [[1, num("1.0")]], "1.0"],
    ["max", [set("a", 2, [])], "[]"],
    ["max", [[]], "undefined"],
    ["min", [[3, 1, 2]], "1"],
    ["min", [[]], "undefined"],
    ["sort", [[3, "a", null, 1]], '[null,1,3,"a"]'],
    ["sort", [set(2, 1)], "[1,2]"],
  ]);
});
