// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("set operators answer as OPA does", () => {
  checkCalls([
    ["and", [set(1, 2), set(2, 3)], "[2]"],
    ["or", [set(1), set(2)], "[1,2]"],
    ["union", [set(set(1), set(2))], "[1,2]"],
    ["intersection", [set(set(1, 2), set(2))], "[2]"],
    ["intersection", [set()], "[]"],
    ["and", [[1], set(1)], "eval_type_error: and: operand 1 must be set but got array"],
    ["union", [set(1)], "eval_type_error: union: operand 1 must be set but got number"],
  ]);
});
