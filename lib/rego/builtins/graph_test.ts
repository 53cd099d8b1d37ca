// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("graph.* walk without getting lost in cycles", () => {
  checkCalls([
    ["graph.reachable", [{ a: ["b"], b: ["a", "c"], c: [] }, ["a"]], '["a","b","c"]'],
    ["graph.reachable", [{ a: ["b"] }, set("x")], "[]"],
    ["graph.reachable_paths", [{ a: ["b", "c"], b: ["d"], c: ["a"], d: [] }, ["a"]], '[["a","b","d"],["a","c"]]'],
    ["graph.reachable_paths", [{ a: [] }, ["a"]], '[["a"]]'],
    ["graph.reachable_paths", [{ a: ["x"] }, ["a"]], '[["a"]]'],
    ["graph.reachable", [[], ["a"]], "eval_type_error: graph.reachable: operand 1 must be object but got array"],
  ]);
});
