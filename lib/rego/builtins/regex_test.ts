// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("regex.* answer as OPA does", () => {
  checkCalls([
    ["regex.match", ["^a+$", "aaa"], "true"],
    ["regex.match", ["(", "a"], "eval_builtin_error: regex.match: error parsing regexp: missing closing ): `(`"],
    [
      "regex.match",
      ["(?=a)", "a"],
      "eval_builtin_error: regex.match: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    ],
    ["regex.is_valid", ["(?P<n>a)"], "true"],
    ["regex.is_valid", ["a**b("], "false"],
    ["regex.is_valid", [1], "false"],
    ["regex.split", ["a*", "baac"], '["b","c"]'],
    ["regex.split", [",", ""], '[""]'],
    ["regex.find_n", ["a*", "baac", -1], '["","aa",""]'],
    ["regex.find_n", ["a", "aaa", 2], '["a","a"]'],
    ["regex.find_n", ["a", "aaa", 0], "[]"],
    ["regex.find_all_string_submatch_n", ["(a)(b)?", "abxa", -1], '[["ab","a","b"],["a","a",""]]'],
    ["regex.replace", ["foo", "(o)", "<$1>"], '"f<o><o>"'],
    ["regex.replace", ["foo", "(?P<x>o+)", "${x}!$$"], '"foo!$"'],
    ["regex.replace", ["aé", "", "-"], '"-a-é-"'],
    ["regex.template_match", ["urn:{[0-9]+}:x", "urn:12:x", "{", "}"], "true"],
    [
      "regex.template_match",
      ["urn:{", "x", "{", "}"],
      'eval_builtin_error: regex.template_match: unbalanced braces in "urn:{"',
    ],
    [
      "regex.template_match",
      ["a", "x", "{{", "}"],
      "eval_builtin_error: regex.template_match: start delimiter has to be exactly one character long but is 2 long",
    ],
  ]);
});
