// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { builtinContext, callBuiltin, type CallCase, checkCalls, num } from "../../testing/rego/builtin_calls.ts";
import { builtins } from "./table.ts";

const MILLION = 1_000_000;

Deno.test("a builtin refuses a result that is too large before it makes it", () => {
  const long = "a".repeat(100_000);
  const cases: CallCase[] = [
    ["numbers.range", [0, num("1e12")], "limit maxElements"],
    ["numbers.range_step", [0, num("99999999999999999999"), 7], "limit maxElements"],
    ["net.cidr_expand", ["10.0.0.0/8"], "limit maxElements"],
    ["net.cidr_expand", ["::/0"], "limit maxElements"],
    ["bits.lsh", [1, num("1e9")], "limit maxNumberDigits"],
    ["bits.lsh", [1, num("99999999999999999999")], "limit maxNumberDigits"],
    ["bits.and", [num("1e30000"), 1], "limit maxNumberDigits"],
    ["format_int", [num("1e30000"), 2], "limit maxNumberDigits"],
    ["replace", [long, "", long], "limit maxStringLength"],
    ["replace", [long, "a", long], "limit maxStringLength"],
    ["strings.replace_n", [{ a: long }, long], "limit maxStringLength"],
    ["concat", [long, Array.from({ length: 1000 }, () => long)], "limit maxStringLength"],
    ["regex.replace", [long, "a", long], "limit maxStringLength"],
    ["sprintf", ["%1000000d".repeat(30), Array.from({ length: 30 }, () => 1)], "limit maxStringLength"],
    ["sprintf", ["%.1000000f".repeat(30), Array.from({ length: 30 }, () => 1.5)], "limit maxStringLength"],
    ["product", [Array.from({ length: 5000 }, () => num("123456789012345"))], "limit maxNumberDigits"],
    ["mul", [num("1e29000"), num("1e29000")], "limit maxNumberDigits"],
  ];
  const limits = { maxNumberDigits: 20_000 };
  checkCalls(cases, { limits });
});

Deno.test("a builtin charges for work that grows faster than its operands", () => {
  const limits = { maxSteps: 10_000 };
  const graph = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, [`n${i + 1}`, `m${i}`]]));
  const braid = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, [`n${i + 1}`]]));
  checkCalls([
    ["graph.reachable_paths", [{ ...graph, ...braid, n40: [] }, ["n0"]], "limit maxSteps"],
    [
      "object.subset",
      [Array.from({ length: 3000 }, () => 0), [...Array.from({ length: 1000 }, () => 0), 1]],
      "limit maxSteps",
    ],
    ["regex.globs_match", [".*a".repeat(150) + "x+", ".*b".repeat(150) + "y+"], "limit maxSteps"],
    ["regex.find_n", [".*?b|a", "a".repeat(20_000), -1], "limit maxSteps"],
  ], { limits });
});

Deno.test("a builtin that reads text slowly is stopped before it begins", () => {
  checkCalls([
    ["yaml.unmarshal", ["x: 1\n".repeat(400_000)], "limit maxSteps"],
    ["uri.parse", ["é".repeat(MILLION)], "limit maxSteps"],
    ["regex.globs_match", ["a".repeat(MILLION), "b"], "limit maxSteps"],
  ]);
});

Deno.test("json.unmarshal and yaml.unmarshal refuse what is nested too deeply", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  checkCalls([
    ["json.unmarshal", [deep], "limit maxNesting"],
    ["yaml.unmarshal", [deep], "limit maxNesting"],
    ["yaml.unmarshal", ["- ".repeat(10_000)], "limit maxNesting"],
    ["json.unmarshal", [`[1.5,${deep}]`], "limit maxNesting"],
  ]);
});

Deno.test("yaml.unmarshal() stops at the step limit on aliases that multiply", () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 10; i++) {
    lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ")}]`);
  }
  assert.equal(callBuiltin("yaml.unmarshal", [lines.join("\n")], { limits: { maxSteps: MILLION } }), "limit maxSteps");
});

Deno.test("regex.match() takes linear time on a pattern that backtracks elsewhere", () => {
  const steps = (length: number): number => {
    const context = builtinContext();
    const text = `${"a".repeat(length)}b`;
    assert.equal(builtins.get("regex.match")?.call(context, ["(a+)+$", text]), false);
    return context.steps;
  };
  steps(1); // the pattern is compiled once
  assert.ok(steps(50_000) > 1_000);
  assert.ok(steps(50_000) <= 11 * steps(5_000), "ten times as long a text takes about ten times as many steps");
});
