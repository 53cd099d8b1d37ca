// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("regex.globs_match() answers as OPA does", () => {
  checkCalls([
    ["regex.globs_match", ["a.a.", ".b.b"], "true"],
    ["regex.globs_match", ["[a-z]+", "[0-9]*"], "false"],
    ["regex.globs_match", ["a+b*", "aab+"], "true"],
    ["regex.globs_match", ["ab*", "a"], "false"],
    [
      "regex.globs_match",
      ["[", "a"],
      "eval_builtin_error: regex.globs_match: input:[, found [ without matching ]: the input provided is invalid",
    ],
    [
      "regex.globs_match",
      ["a\\", "a"],
      "eval_builtin_error: regex.globs_match: input:a\\, input ends with a \\ (escape) character: the input provided is invalid",
    ],
    [
      "regex.globs_match",
      ["[z-a]", "a"],
      "eval_builtin_error: regex.globs_match: input:[z-a], range is out of order: the input provided is invalid",
    ],
    [
      "regex.globs_match",
      ["+", "a"],
      "eval_builtin_error: regex.globs_match: input:+, flag must be preceded by a non-flag: the input provided is invalid",
    ],
  ]);
});
