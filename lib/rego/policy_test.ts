// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { formatJson, fromJson } from "./json.ts";
import { compile, type CompileOptions } from "./policy.ts";
import type { Value } from "./values.ts";

const policy = (text: string, data: unknown = {}, options: CompileOptions = {}) =>
  compile([{ path: "t.rego", text: `package t\n${text}` }], fromJson(data), options);

/** The JSON of `data.t`, or of one rule. */
function answer(text: string, o: { input?: unknown; data?: unknown; ref?: string; options?: CompileOptions } = {}) {
  const { input, data, ref = "data.t", options } = o;
  const value: Value | undefined = policy(text, data, options).prepare(ref)
    .decide(input === undefined ? undefined : fromJson(input));
  return value === undefined ? undefined : formatJson(value);
}

Deno.test("prepare() gives values, defaults and undefined", () => {
  const text = 'default allow := false\nallow if input.user == "a"\nlevel := 3 if input.user == "a"\n';
  const compiled = policy(text);
  const allow = compiled.prepare("data.t.allow");
  assert.equal(allow.decide(fromJson({ user: "a" })), true);
  assert.equal(allow.decide(fromJson({ user: "b" })), false);
  assert.equal(compiled.prepare("data.t.level").decide(fromJson({ user: "b" })), undefined);
});

Deno.test("prepare() refuses what is no constant reference into data", () => {
  for (const ref of ["input.x", "data.t[x]", "1"]) {
    assert.throws(() => policy("p := 1").prepare(ref), { code: "rego_compile_error" }, ref);
  }
});

Deno.test("evaluate() gives a row for each solution with values and bindings", () => {
  const rows = policy("").evaluate("x = [10, 20][i]; x > 10");
  assert.equal(rows.length, 1);
  assert.deepEqual([...rows[0]!.bindings], [["x", 20], ["i", 1]]);
  assert.deepEqual(rows[0]!.expressions.map(({ value }) => value), [true, true]);
  assert.deepEqual(policy("").evaluate("1 + 1")[0]!.expressions[0]!.value, 2);
  // As in OPA, false is a value here; only undefined leaves no row.
  assert.deepEqual(policy("").evaluate("1 == 2")[0]!.expressions[0]!.value, false);
  assert.deepEqual(policy("").evaluate("input.x"), []);
});

Deno.test("compile() orders bodies so that every variable is known in time", () => {
  assert.equal(answer("p := x if { y > 1; x := y + 1; y = 2 }"), '{"p":3}');
  assert.equal(answer("p if { [x, y] = [y, 1]; x == 1 }"), '{"p":true}');
});

Deno.test("compile() names every unsafe variable, the recursion and the conflict", () => {
  assert.throws(() => policy("p if not input.x == z"), { code: "rego_unsafe_var_error", message: /var z is unsafe/ });
  assert.throws(() => policy("p if q\nq if r\nr if p"), { code: "rego_recursion_error", message: /data.t.q/ });
  assert.throws(() => policy("p := 1\np contains 2"), { code: "rego_type_error", message: /conflicting rules/ });
  assert.throws(() => policy("p.q := 1\np := 2"), { code: "rego_type_error" });
  assert.throws(() => policy("p := nope(1)"), { code: "rego_type_error", message: /undefined function nope/ });
  assert.throws(() => policy("p := count(1, 2, 3)"), {
    code: "rego_type_error",
    message: /count takes 1 argument, got 3/,
  });
  // A variable of the head is shown where it stands.
  const head = { code: "rego_unsafe_var_error", message: /^t\.rego:2:11: .*var y is unsafe/ };
  assert.throws(() => policy("p := {1: [y]}"), head);
});

Deno.test("compile() refuses a local input or data, which would be mistaken for the document", () => {
  for (
    const rules of ["f(input) := 1", "f([x, data]) := x", "f(input.x) := 1", "p if input := 1", "p if [data] := [1]"]
  ) {
    assert.throws(() => policy(rules), { code: "rego_compile_error", message: /must not shadow (input|data)/ }, rules);
  }
});

Deno.test("compile() refuses print() as a value, with a receiver of printed lines and without", () => {
  for (const rules of ["p := print(1)", "p if print(print(1))", "p if print([x | x = print(1)])", "f(x) := print(x)"]) {
    for (const options of [{}, { print: () => {} }]) {
      assert.throws(() => policy(rules, {}, options), { message: /print has no value/ }, rules);
    }
  }
});

Deno.test("compile() refuses builtins that reach out, with name and place, wherever they stand", () => {
  const texts = [
    "p := http.send({})",
    "p if { false; http.send({}) }",
    "p := 1 with time.now_ns as opa.runtime if true",
  ];
  assert.throws(() => policy(texts[0]!), {
    code: "rego_unsupported_error",
    message: /http\.send is refused/,
    location: { file: "t.rego", line: 2, column: 6 },
  });
  assert.throws(() => policy(texts[1]!), { code: "rego_unsupported_error" });
  assert.throws(() => policy("p if count([]) == 0 with count as opa.runtime"), { code: "rego_unsupported_error" });
});

Deno.test("undefined is never false, and not of it is true", () => {
  assert.equal(answer("p if not input.x\nq if input.x == false", { input: {} }), '{"p":true}');
});

Deno.test("legacy not takes calls out of the negation, the imported one does not", () => {
  const text = 'p if not startswith(input.x, "a")';
  assert.equal(answer(text, { input: {} }), "{}");
  assert.equal(answer(`import future.keywords.not\n${text}`, { input: {} }), '{"p":true}');
});

Deno.test("complete rules that disagree stop the evaluation", () => {
  assert.throws(() => answer("p := 1\np := 2 if input.x", { input: { x: 1 } }), { code: "eval_conflict_error" });
  assert.equal(answer("p := 1\np := 2 if input.x", { input: {} }), '{"p":1}');
});

Deno.test("with replaces input, data and functions for one expression only", () => {
  const text = `
f(x) := x + 1
g(x) := f(x) * 10
a := [input.x, data.d.y, f(1)]
p := [v, a] if { v := a with input.x as 7 with data.d.y as 8 with f as g }
`;
  assert.equal(
    answer(text, { input: { x: 1 }, data: { d: { y: 2 } }, ref: "data.t.p" }),
    "[[7,8,20],[1,2,2]]",
  );
});

Deno.test("heads with dots and variables build objects and sets", () => {
  const text = `
a.b.c := 1
a.b.d contains x if some x in [2, 1]
m[k].n := v if some k, v in {"x": 1, "y": 2}
m.z.n := 3
`;
  assert.equal(answer(text), '{"a":{"b":{"c":1,"d":[1,2]}},"m":{"x":{"n":1},"y":{"n":2},"z":{"n":3}}}');
});

Deno.test("builtin errors make an expression undefined, and stop a strict evaluation", () => {
  const text = "p := 1 / input.x\nq := 2";
  assert.equal(answer(text, { input: { x: 0 } }), '{"q":2}');
  assert.throws(() => answer(text, { input: { x: 0 }, options: { strictBuiltinErrors: true } }), {
    code: "eval_builtin_error",
    location: { file: "t.rego", line: 2, column: 6 },
  });
});

Deno.test("print() prints one line per combination, with its place, and nothing without a receiver", () => {
  const lines: string[] = [];
  const print = (line: string, { line: at }: { line: number }) => lines.push(`${at}: ${line}`);
  assert.equal(answer('p if {\n  print("x", input.no, [1])\n}', { options: { print } }), '{"p":true}');
  assert.deepEqual(lines, ["3: x <undefined> [1]"]);
  assert.equal(answer('p if { print("x") }'), '{"p":true}');
});

Deno.test("an index over constants finds the same rules as trying all of them", () => {
  const rules = Array.from({ length: 50 }, (_, i) => `p := ${i} if { input.k == "k${i}" }`).join("\n");
  const compiled = policy(`${rules}\np := 99 if input.other == 1.0\nf("a", x) := x\nf(y, _) := 0 if y == "b"\n`);
  const p = compiled.prepare("data.t.p");
  assert.equal(p.decide(fromJson({ k: "k17" })), 17);
  assert.equal(p.decide(fromJson({ k: "none" })), undefined);
  assert.equal(p.decide(fromJson({ k: 1, other: 1 })), 99);
  assert.throws(() => p.decide(fromJson({ k: "k3", other: 1 })), { code: "eval_conflict_error" });
});

Deno.test("a step limit stops a comprehension over 10^9 pairs, a time limit too, with typed errors", () => {
  const text = "xs := numbers.range(1, 31623)\np := count([1 | some x in xs; some y in xs; x + y < 0])";
  assert.throws(() => answer(text, { options: { limits: { maxSteps: 200_000 } } }), {
    code: "eval_limit_error",
    limit: "maxSteps",
  });
  assert.throws(() => answer(text, { options: { limits: { maxSteps: 1e12, maxMillis: 50 } } }), { limit: "maxMillis" });
});

Deno.test("the clock is looked at more often where steps are heavy", () => {
  /** Looks at a clock that moves on by `millis` from one to the next. */
  const looks = (millis: number): number => {
    const real = performance.now;
    let count = 0;
    performance.now = () => ++count * millis;
    try {
      answer("p := count([1 | some x in numbers.range(1, 20000); x > 0])", {
        options: { limits: { maxMillis: Infinity } },
      });
    } finally {
      performance.now = real;
    }
    return count;
  };
  assert.ok(looks(0.1) > 5);
  assert.ok(looks(100) > 100 * looks(0.1));
});

Deno.test("an element limit stops rules and comprehensions that collect too much, with a typed error at its place", () => {
  const cases: [string, string][] = [
    ["p := [x | some x in input[_]]", "data.t.p"],
    ["p := {x | some x in input[_]}", "data.t.p"],
    ["p := {x: 1 | some x in input[_]}", "data.t.p"],
    ["p contains x if some x in input[_]", "data.t.p"],
    ["p[x] := 1 if some x in input[_]", "data.t.p"],
    ["p[x].y := 1 if some x in input[_]", "data.t"],
    ["p.y[z] contains x if {\n  z := 1\n  some x in input[_]\n}", "data.t"],
  ];
  for (const [text, ref] of cases) {
    const ask = (maxElements: number) =>
      answer(text, { ref, input: [[1, 2, 3], [3, 4, 5], [6, 7, 8]], options: { limits: { maxElements } } });
    assert.ok(ask(9), text);
    assert.throws(() => ask(7), { limit: "maxElements", code: "eval_limit_error", message: /^t\.rego:2:\d+: / }, text);
  }
});

Deno.test("a depth limit stops long chains of rules before the stack ends", () => {
  const chain = Array.from({ length: 5_000 }, (_, i) => `r${i} if r${i + 1}`).join("\n");
  assert.throws(() => answer(`${chain}\nr5000 := true`, { ref: "data.t.r0" }), { limit: "maxDepth" });
});

Deno.test("a long sum is a typed error where it is too deep, never a stack overflow", () => {
  const text = `p := 1${" + 1".repeat(50_000)}`;
  try {
    assert.equal(answer(text), '{"p":50001}');
  } catch (error) {
    assert.equal((error as { kind?: string }).kind, "limit");
  }
});

Deno.test("one policy serves decisions in between each other", () => {
  const compiled = policy("p := input.x");
  const first = compiled.prepare("data.t.p");
  const second = compiled.prepare("data.t");
  assert.equal(first.decide(1), undefined);
  assert.equal(first.decide(fromJson({ x: 1 })), 1);
  assert.equal(formatJson(second.decide(fromJson({ x: 2 })) as Value), '{"p":2}');
  assert.equal(first.decide(fromJson({ x: 3 })), 3);
});

Deno.test("rules lists what a test runner and coverage need", () => {
  const compiled = policy("test_a if {\n  1 == 1\n  not false\n}\n");
  const [rule] = compiled.rules;
  assert.equal(rule?.ref, "data.t.test_a");
  assert.deepEqual(rule?.expressions.map(({ line }) => line), [3, 4]);
});

Deno.test("a partial rule asked by key does not stop at conflicts of other keys", () => {
  const text = 'm[k] := v if some [k, v] in [["a", 1], ["b", 2], ["b", 3]]\np := m.a\nq := m.b\n';
  assert.equal(answer(text, { ref: "data.t.p" }), "1");
  assert.throws(() => answer(text, { ref: "data.t.q" }), { code: "eval_conflict_error" });
});
