// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("object.* answer as OPA does", () => {
  checkCalls([
    ["object.get", [{ a: { b: [1] } }, ["a", "b", 0], "no"], "1"],
    ["object.get", [{ a: 1 }, "z", "no"], '"no"'],
    ["object.get", [{ a: 1 }, [], 0], '{"a":1}'],
    ["object.keys", [{ b: 1, a: 2 }], '["a","b"]'],
    ["object.remove", [{ a: 1, b: 2 }, ["a"]], '{"b":2}'],
    ["object.filter", [{ a: 1, b: 2 }, { a: 0 }], '{"a":1}'],
    ["object.union", [{ a: { b: 1 }, c: 1 }, { a: { d: 2 }, c: 3 }], '{"a":{"b":1,"d":2},"c":3}'],
    ["object.union_n", [[{ a: { b: 2 } }, { a: 4 }, { a: { c: 3 } }]], '{"a":{"c":3}}'],
    [
      "object.union_n",
      [[1]],
      "eval_type_error: object.union_n: operand 1 must be array of objects but got array containing number",
    ],
    ["object.subset", [{ a: [1, 2, 3] }, { a: [2, 3] }], "true"],
    ["object.subset", [set(1), set(1, 2)], "false"],
    ["object.subset", [[1, 2], set(2)], "true"],
    [
      "object.subset",
      [1, {}],
      "eval_type_error: object.subset: both arguments object.subset must be of the same type or array and set",
    ],
    [
      "object.remove",
      [{ a: 1 }, "a"],
      "eval_type_error: object.remove: operand 2 must be one of {object, set, array} but got string",
    ],
  ]);
});
