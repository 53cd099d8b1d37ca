// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("strings answer as OPA does", () => {
  checkCalls([
    ["contains", ["abc", "b"], "true"],
    ["startswith", ["abc", "ab"], "true"],
    ["endswith", ["abc", "bc"], "true"],
    ["indexof", ["😀é", "é"], "1"],
    ["indexof", ["a", ""], "eval_builtin_error: indexof: empty search character"],
    ["indexof_n", ["aaa", "aa"], "[0,1]"],
    ["lower", ["ÄŒ"], '"äœ"'],
    ["upper", ["ß"], '"ß"'],
    ["split", ["a,b", ","], '["a","b"]'],
    ["split", ["aé", ""], '["a","é"]'],
    ["strings.split_n", ["a.b.c", ".", 2], '["a","b"]'],
    ["strings.split_n", ["a.b.c", ".", -2], '["b","c"]'],
    ["strings.count", ["cheese", "e"], "3"],
    ["strings.reverse", ["a😀"], '"😀a"'],
    ["substring", ["😀bc", 1, -1], '"bc"'],
    ["substring", ["abc", -1, 1], "eval_builtin_error: substring: negative offset"],
    ["substring", ["abc", 1, 99], '"bc"'],
    ["trim", ["  a ", " "], '"a"'],
    ["trim_left", ["aab", "a"], '"b"'],
    ["trim_right", ["baa", "a"], '"b"'],
    ["trim_prefix", ["aab", "a"], '"ab"'],
    ["trim_suffix", ["baa", "a"], '"ba"'],
    ["trim_space", ["\t a "], '"a"'],
    ["concat", [",", set("b", "a")], '"a,b"'],
    [
      "concat",
      [",", ["a", 1]],
      "eval_type_error: concat: operand 2 must be array of strings but got array containing number",
    ],
    ["format_int", [255, 16], '"ff"'],
    ["format_int", [-15.9, 10], '"-15"'],
    ["format_int", [1, 3], "eval_type_error: format_int: operand 2 must be one of {2, 8, 10, 16}"],
    ["strings.any_prefix_match", [["ab", "c"], set("a")], "true"],
    ["strings.any_suffix_match", ["abc", "c"], "true"],
  ]);
});
