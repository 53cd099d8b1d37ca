// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { parseModule, parseQuery } from "./parser.ts";

const parse = (text: string, limits: Limits = DEFAULT_LIMITS) => parseModule("a.rego", text, limits);

Deno.test("parseModule() reads package, imports and rules with their places", () => {
  const module = parse('package a.b["c d"]\nimport data.x.y as z\n\np contains q if {\n  q := 1\n}\n');
  assert.deepEqual(module.package, ["a", "b", "c d"]);
  assert.deepEqual(module.imports[0]?.alias, "z");
  assert.deepEqual(module.rules[0]?.loc, { file: "a.rego", line: 4, column: 1 });
  assert.deepEqual(module.rules[0]?.body[0]?.loc, { file: "a.rego", line: 5, column: 3 });
});

Deno.test("parseModule() refuses Rego v0 with a hint", () => {
  assert.throws(() => parse("package a\np { true }\n"), { code: "rego_parse_error", hint: /Rego v0/ });
  assert.throws(() => parse("package a\np[x]\n"), { code: "rego_parse_error", hint: /Rego v0/ });
});

Deno.test("parseModule() says where it cannot read on", () => {
  const cases: [string, number, number][] = [
    ["package a\np := (1", 2, 8],
    ['package a\np := "abc', 2, 6],
    ["package a\np := 1 +\n", 3, 1],
    ["package a\nimport foo.bar\n", 2, 8],
  ];
  for (const [text, line, column] of cases) {
    assert.throws(() => parse(text), { code: "rego_parse_error", location: { file: "a.rego", line, column } }, text);
  }
});

Deno.test("parseQuery() prefers comprehensions to unions", () => {
  const kinds = ["[x | true]", "{1 | true}", "{(1 | 2)}", "{1: 2 | true}"].map((text) => {
    const what = parseQuery("q", text, DEFAULT_LIMITS)[0]?.what;
    return what?.kind === "term" ? what.term.kind : undefined;
  });
  assert.deepEqual(kinds, ["comprehension", "comprehension", "set", "comprehension"]);
});

Deno.test("parseQuery() knows `and` only where it is imported", () => {
  assert.throws(() => parseQuery("q", "true and true", DEFAULT_LIMITS), { hint: /future.keywords.and/ });
  const module = parse("package a\nimport rego.v2\np if input.x and not (input.y or input.z)\n");
  assert.equal(module.rules[0]?.body[0]?.what.kind, "and");
});

Deno.test("parseModule() reads interpolated strings inside interpolated strings", () => {
  const module = parse('package a\np := $"x {$"y {1 + 2}"} {{"k": 1}} \\{z}"\n');
  const value = module.rules[0]?.head.value;
  assert.equal(value?.kind, "template");
  assert.equal(value?.kind === "template" && value.parts.at(-1), " {z}");
});

Deno.test("parseModule() stops at its limits with a typed error", () => {
  const deep = `package a\np := ${"[".repeat(20_000)}${"]".repeat(20_000)}\n`;
  assert.throws(() => parse(deep), { limit: "maxNesting" });
  assert.throws(() => parse(`package a\n# ${"x".repeat(100)}\n`, { ...DEFAULT_LIMITS, maxLineLength: 80 }), {
    limit: "maxLineLength",
  });
  assert.throws(() => parse("package abc", { ...DEFAULT_LIMITS, maxModuleLength: 5 }), { limit: "maxModuleLength" });
});

Deno.test("parseModule() does not take exponential time to try braces and go back", () => {
  /** Brackets that were opened, counted by looks at the limit of their nesting. */
  const opened = (depth: number): number => {
    let looks = 0;
    const counting: Limits = {
      ...DEFAULT_LIMITS,
      get maxNesting() {
        looks++;
        return DEFAULT_LIMITS.maxNesting;
      },
    };
    const text = `package a\nimport rego.v2\np if ${"{ [".repeat(depth)}1${"] }".repeat(depth)}\n`;
    try {
      parse(text, counting);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "rego_parse_error");
    }
    return looks;
  };
  assert.ok(opened(40) > 80);
  assert.ok(opened(40) <= 4 * opened(10), "four times as many brackets take four times as many steps");
});
