// SPDX-License-Identifier: Apache-2.0
import { checkCalls, num, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("json.* go both ways without rounding", () => {
  checkCalls([
    [
      "json.marshal",
      [{ b: num("1.0"), a: ["<&>", null, true] }],
      '"{\\"a\\":[\\"\\\\u003c\\\\u0026\\\\u003e\\",null,true],\\"b\\":1.0}"',
    ],
    ["json.marshal", [set(2, 1)], '"[1,2]"'],
    [
      "json.marshal_with_options",
      [{ a: [1, {}] }, { indent: "  ", prefix: "> " }],
      '"> {\\n>   \\"a\\": [\\n>     1,\\n>     {}\\n>   ]\\n> }"',
    ],
    ["json.marshal_with_options", [{ a: 1 }, {}], '"{\\"a\\":1}"'],
    [
      "json.marshal_with_options",
      [1, { x: 1 }],
      'eval_type_error: json.marshal_with_options: operand 2 object contained unknown key "x"',
    ],
    ["json.unmarshal", ['{"a": [1.0, 1e2, 123456789012345678901]}'], '{"a":[1.0,1e2,123456789012345678901]}'],
    ["json.unmarshal", ["[1,"], "eval_builtin_error: json.unmarshal: Unexpected end of JSON input"],
    ["json.unmarshal", [5], "eval_type_error: json.unmarshal: operand 1 must be string but got number"],
    ["json.is_valid", ["{}"], "true"],
    ["json.is_valid", ["{"], "false"],
    ["json.is_valid", [1], "false"],
  ]);
});
