// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("replace and strings.replace_n work in one pass", () => {
  checkCalls([
    ["replace", ["aXbX", "X", "--"], '"a--b--"'],
    ["replace", ["abc", "", "-"], '"-a-b-c-"'],
    ["replace", ["abc", "z", "y"], '"abc"'],
    ["strings.replace_n", [{ "<": "&lt;", "&": "&amp;" }, "<&>"], '"&lt;&amp;>"'],
    ["strings.replace_n", [{ a: "b", b: "a" }, "abab"], '"baba"'],
    [
      "strings.replace_n",
      [{ a: 1 }, "a"],
      "eval_type_error: strings.replace_n: operand 1 non-string value found in pattern object",
    ],
    ["strings.replace_n", [{ a: "", "": "_" }, "ab"], '"__b_"'],
  ]);
});
