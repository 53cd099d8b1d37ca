// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("urlquery.* read and write query strings as Go does", () => {
  checkCalls([
    ["urlquery.encode", ["a b/é?"], '"a+b%2F%C3%A9%3F"'],
    ["urlquery.decode", ["a+b%2F"], '"a b/"'],
    ["urlquery.decode", ["%zz"], 'eval_builtin_error: urlquery.decode: invalid URL escape "%zz"'],
    ["urlquery.encode_object", [{ b: ["2", "1"], a: "x y", c: set("q") }], '"a=x+y&b=2&b=1&c=q"'],
    [
      "urlquery.encode_object",
      [{ a: [1] }],
      "eval_type_error: urlquery.encode_object: operand 1 values must be string, array[string], or set[string]",
    ],
    ["urlquery.decode_object", ["a=1&a=2&b"], '{"a":["1","2"],"b":[""]}'],
    [
      "urlquery.decode_object",
      ["a;b"],
      "eval_builtin_error: urlquery.decode_object: invalid semicolon separator in query",
    ],
  ]);
});
