// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { builtinContext, checkCalls } from "../../testing/rego/builtin_calls.ts";
import { builtins } from "./table.ts";

Deno.test("glob.match() answers as OPA does", () => {
  checkCalls([
    ["glob.match", ["*.github.com", [], "api.github.com"], "true"],
    ["glob.match", ["*.github.com", [], "api.cdn.github.com"], "false"],
    ["glob.match", ["*hub.com", null, "api.cdn.github.com"], "true"],
    ["glob.match", ["**.com", ["."], "a.b.com"], "true"],
    ["glob.match", ["{a,b}[c-e]?", [], "bdx"], "true"],
    ["glob.match", ["[!a-c]", [], "a"], "false"],
    ["glob.match", ["{a,b", [], "a"], "eval_builtin_error: glob.match: glob: syntax error at 4: unclosed `{`"],
    ["glob.match", ["[", [], "a"], "eval_builtin_error: glob.match: glob: syntax error at 1: unexpected end of input"],
    [
      "glob.match",
      ["a", ["ab"], "a"],
      "eval_type_error: glob.match: operand 2 must be array of runes but got array containing string",
    ],
    [
      "glob.match",
      ["a", "x", "a"],
      "eval_type_error: glob.match: operand 2 must be one of {array, null} but got string",
    ],
    ["glob.match", ["?", ["/"], "😀"], "true"],
    ["glob.quote_meta", ["*.{a}[b]\\?"], '"\\\\*.\\\\{a\\\\}\\\\[b\\\\]\\\\\\\\\\\\?"'],
  ]);
});

Deno.test("glob.match() keeps patterns apart that are spelled alike with their separators", () => {
  const context = builtinContext();
  const match = (...args: [string, readonly string[], string]) => builtins.get("glob.match")?.call(context, args);
  assert.equal(match(":b", ["a"], ":b"), true);
  assert.equal(match("b", ["a", ":"], "b"), true);
});
