// SPDX-License-Identifier: Apache-2.0
// Whatever input and policy try, a limit ends the evaluation: it never becomes "undefined", which `not` would turn.

import assert from "node:assert/strict";
import { formatJson, parseJson } from "./json.ts";
import { DEFAULT_LIMITS, type Limits, RegoLimitError } from "./limits.ts";
import { compile, type CompileOptions } from "./policy.ts";
import type { Value } from "./values.ts";

function decide(rules: string, input = "{}", options: CompileOptions = {}): string | undefined {
  const value: Value | undefined = compile([{ path: "t.rego", text: `package t\n${rules}` }], undefined, options)
    .prepare("data.t").decide(parseJson(input));
  return value === undefined ? undefined : formatJson(value);
}

Deno.test("a limit ends the evaluation wherever it is reached", () => {
  /** What reaches a limit, as a term; the limits under which it does. */
  const reaching: [string, Partial<Limits>][] = [
    ["count([1 | some a in xs; some b in xs; a < b])", { maxSteps: 10_000 }],
    ["count([1 | some a in xs; some b in xs])", { maxElements: 5_000 }],
    ["count({[a, b] | some a in xs; some b in xs})", { maxElements: 5_000 }],
    ["count({a: b | some a in xs; some b in [1]})", { maxElements: 400 }],
    ["count(numbers.range(1, 1000000000))", DEFAULT_LIMITS],
    ['count(sprintf("%999999d%999999d%s", [1, 1, concat("", [s | some _ in xs; s := input.long])]))', {
      maxStringLength: 1_000_000,
    }],
    ["bits.lsh(1, 1000000)", DEFAULT_LIMITS],
    ["f0(1)", { maxDepth: 20 }],
    ['json.unmarshal(concat("", [concat("", ["[" | some _ in xs]), concat("", ["]" | some _ in xs])]))', {
      maxNesting: 100,
    }],
    ['count([1 | regex.match(concat("", ["a" | some _ in xs]), "b")])', { maxPatternLength: 100 }],
    ['count([1 | regex.match("(a+)+$", input.long)])', { maxSteps: 1_000 }],
  ];
  /** Where it stands; each of them holds, or gives a value, when the term is undefined. */
  const places = [
    "p if not T == -1",
    "p if { not T }",
    "p if { every x in [1] { T == x } }",
    "p := [1 | T == -1]",
    "p := {k: 1 | some k in [T]}",
    "p if T == -1 else := 2",
    "default p := 3\np := T",
    "p := x if { x := [y | y := T] with input.more as 1 }",
    "p if q with input.more as 1\nq if not T == -1",
    "p := 4 if not g(1)\ng(x) if T == -1",
    "p contains T\nq if not p[1]",
    "p[T] := 1\nq if not p[1]",
    'p := $"{T}"',
    'p if { startswith("a", "b") with startswith as q }\nq := T',
    "p if { 1 == 2; T == -1 }\nq if { not data.t.r }\nr := T",
  ];
  const chain = Array.from({ length: 40 }, (_, i) => `f${i}(x) := f${i + 1}(x)`).join("\n");
  const base = `xs := numbers.range(1, 500)\n${chain}\nf40(x) := x\n`;
  const input = JSON.stringify({ long: "a".repeat(100_000) });
  for (const [term, limits] of reaching) {
    for (const place of places) {
      const rules = base + place.replaceAll("T", () => term);
      assert.throws(() => decide(rules, input, { limits }), RegoLimitError, `${place} with ${term}`);
    }
  }
});

Deno.test("names that JavaScript objects are born with are like any others", () => {
  const input = '{"__proto__": {"admin": true}, "constructor": 1, "known": {}}';
  const rules = `
a if input.admin
b := input["__proto__"].admin
c if input.known.constructor
d if input.known["__proto__"]
e := object.get(input.known, "toString", "none")
f := {name: 1 | some name, _ in input}
g := object.union(input.known, {"__proto__": 2})
h if "valueOf" in object.keys(input)
i := json.unmarshal("{\\"__proto__\\": {\\"x\\": 1}}")
j := yaml.unmarshal("__proto__: {x: 1}")
k if data.t["__proto__"]
toString contains 1
`;
  assert.equal(
    decide(rules, input),
    '{"b":true,"e":"none","f":{"__proto__":1,"constructor":1,"known":1},"g":{"__proto__":2},' +
      '"i":{"__proto__":{"x":1}},"j":{"__proto__":{"x":1}},"toString":[1]}',
  );
});

Deno.test("numbers are equal by their value, whatever their notation, and never by rounding", () => {
  const input = '{"one": 1.0, "big": 9007199254740993, "same": 9007199254740993.0, "zero": -0, "huge": 1e400}';
  const rules = `
a if input.one == 1
b if {input.one, 1, 1e0} == {1}
c if {input.big: "x"}[input.same] == "x"
d if input.big == 9007199254740992
e if {9007199254740992: "x"}[input.big]
f if input.zero == 0
g if input.zero < 0
h if input.huge == 1e401
i if input.huge > 1e399
j := [10, 20][input.one]
k if f1(input.one)
f1(1)  := true
l := count({input.big, 9007199254740992, input.same})
`;
  assert.equal(decide(rules, input), '{"a":true,"b":true,"c":true,"f":true,"i":true,"j":20,"k":true,"l":2}');
});

Deno.test("strings are compared by code points, and halves of pairs are not kept", () => {
  const input = '{"bmp": "\\uffff", "pair": "\\ud83d\\ude00", "half": "\\ud83d", "other": "\\ude00"}';
  const rules = `
a if input.bmp < input.pair
b := sort([input.pair, input.bmp])[0] == input.bmp
c if startswith(input.pair, input.half)
d := count(input.pair)
e if input.half == input.other
f if input.half == "\\ufffd"
`;
  assert.equal(decide(rules, input), '{"a":true,"b":true,"d":1,"e":true,"f":true}');
});

Deno.test("a document that is nested too deeply is a limit error, however it is read", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  for (const text of [deep, `[1.5, ${deep}]`]) assert.throws(() => parseJson(text), { limit: "maxNesting" });
});
