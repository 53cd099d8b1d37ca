// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("json.filter and json.remove cut along paths", () => {
  checkCalls([
    ["json.filter", [{ a: { b: 1, c: [1, 2] } }, ["a/c/1"]], '{"a":{"c":[2]}}'],
    ["json.filter", [{ a: { b: 1 } }, set("/a")], '{"a":{"b":1}}'],
    ["json.filter", [{ "a/b": 1, c: 2 }, ["a~1b"]], '{"a/b":1}'],
    ["json.remove", [{ a: { b: 1, c: [1, 2] } }, ["a/c/0", ["a", "b"]]], '{"a":{"c":[2]}}'],
    [
      "json.remove",
      [{ a: 1 }, [1]],
      "eval_type_error: json.remove: operand 2 must be one of {set, array} containing string paths or array of path segments but got number",
    ],
    [
      "json.remove",
      [{ a: 1 }, "a"],
      "eval_type_error: json.remove: operand 2 must be one of {set, array} but got string",
    ],
  ]);
});
