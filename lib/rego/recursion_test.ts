// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { formatJson } from "./json.ts";
import { compile } from "./policy.ts";
import type { Value } from "./values.ts";

const load = (rules: string) => compile([{ path: "t.rego", text: `package t\n${rules}` }]);

Deno.test("compile() refuses rules that may depend on themselves", () => {
  const cases = [
    "p if q\nq if p",
    "f(x) := f(x)",
    "p := data.t",
    "p := data.t[input.x]\nf := 1",
    'p := data.t[x] if { some x in {"f", "p"} }\nf := 1',
    // What binds x runs after it is looked up by, or not with it at all.
    'p := data.t[x] if { x = y; y = "f" }\nf := 1',
    'p := [v | some x in ["f"]; v := data.t[x]]\nf := 1',
    'p := data.t[x] if { some x in input; not x != "f" }\nf := 1',
    "p := 1 if false else := data.t[input.x]",
  ];
  for (const rules of cases) assert.throws(() => load(rules), { code: "rego_recursion_error" }, rules);
});

Deno.test("compile() knows the constants that a variable in a reference can be", () => {
  const cases: [string, string][] = [
    ['p := data.t[x] if { x := "f" }\nf := 1', "1"],
    ['p contains data.t[x] if { some x in ["f", "g"] }\nf := 1\ng := 2', "[1,2]"],
    ['p contains data.t[x] if { m := {"a": "f", "b": "g"}; some k; x := m[k] }\nf := 1\ng := 2', "[1,2]"],
    ['p if { some x in ["f"]; every y in [1] { data.t[x] == y } }\nf := 1', "true"],
    ['p := 1 if false else := data.t[x] if { x := "f" }\nf := 3', "3"],
    ['p := 0 if not data.t[["p"]]\np := 1 if data.t[[["p"]]]', "0"],
  ];
  for (const [rules, want] of cases) {
    assert.equal(formatJson(load(rules).prepare("data.t.p").decide() as Value), want, rules);
  }
});
