// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("to_number() reads what Go reads", () => {
  checkCalls([
    ["to_number", ["5"], "5"],
    ["to_number", ["1.50"], "1.50"],
    ["to_number", ["1e3"], "1e3"],
    ["to_number", ["+5"], "5"],
    ["to_number", [".5"], "0.5"],
    ["to_number", ["007"], "7"],
    ["to_number", [""], 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "": invalid syntax'],
    ["to_number", ["inf"], "eval_type_error: to_number: operand 1 must be valid number string but got string"],
    ["to_number", ["1e400"], 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "1e400": value out of range'],
    ["to_number", ["0x10"], 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "0x10": invalid syntax'],
    ["to_number", [null], "0"],
    ["to_number", [true], "1"],
    [
      "to_number",
      [[1]],
      "eval_type_error: to_number: operand 1 must be one of {null, boolean, number, string} but got array",
    ],
    ["to_number", ["123456789012345678901234567890"], "123456789012345678901234567890"],
  ]);
});
