// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { coveragePercent, createCoverage, lineRanges } from "./coverage.ts";
import { compile } from "./policy.ts";

Deno.test("createCoverage() tells the lines that evaluations reached from those they did not", () => {
  const text = `package a

default x := 0

x := 1 if {
	input.a
	input.b
}

y := 2 if input.a

z if {
	not input.a
}
`;
  const coverage = createCoverage();
  const policy = compile([{ path: "a.rego", text }], undefined, { tracer: coverage });
  policy.evaluate('data.a with input as {"a": 1}');
  const report = coverage.report(policy.rules);
  assert.deepEqual(report, new Map([["a.rego", { covered: [3, 6, 7, 10, 13], notCovered: [5, 12] }]]));
  assert.equal(coveragePercent(report.values()), 71.42);
});

Deno.test("lineRanges() joins neighbours", () => {
  assert.deepEqual(lineRanges([1, 2, 3, 7, 9, 10]), [[1, 3], [7, 7], [9, 10]]);
  assert.deepEqual(lineRanges([]), []);
  assert.equal(coveragePercent([]), 100);
});
