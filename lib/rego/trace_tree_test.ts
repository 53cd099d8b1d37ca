// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { RegoLimitError } from "./limits.ts";
import { compile } from "./policy.ts";
import { createTraceRecorder, renderTrace } from "./trace_tree.ts";

const POLICY = `package a

allow if {
	input.user == "root"
	helper(input.path)
}

allow if input.admin

helper(path) if startswith(path, "/x")
`;

Deno.test("createTraceRecorder() records the rules tried in each other, and the expressions that failed", () => {
  const recorder = createTraceRecorder();
  const policy = compile([{ path: "a.rego", text: POLICY }], undefined, { tracer: recorder });
  const input = '{"user":"root","path":"/y"}';
  policy.evaluate(`data.a.allow with input as ${input}`);
  const { roots, isCut } = recorder.take();
  assert.equal(isCut, false);
  const sources = new Map([["a.rego", POLICY]]);
  assert.equal(
    renderTrace(roots, sources),
    [
      "├─ data.a.allow  a.rego:3:1  undefined",
      "│  │  failed at a.rego:5:2: helper(input.path)",
      "│  └─ data.a.helper  a.rego:10:1  undefined",
      '│        failed at a.rego:10:17: startswith(path, "/x")',
      "└─ data.a.allow  a.rego:8:1  undefined",
      "      failed at a.rego:8:10: input.admin",
    ].join("\n"),
  );
  assert.deepEqual(recorder.take().roots, [], "the next evaluation begins anew");
});

Deno.test("createTraceRecorder() keeps a bounded number of rules, and shows where an evaluation stopped", () => {
  const recorder = createTraceRecorder({ maxNodes: 3 });
  const text = `package a

f(x) := x + 1

many := [f(i) | some i in numbers.range(1, 100)]

endless if {
	some i in numbers.range(1, 100000)
	f(i) < 0
}
`;
  const policy = compile([{ path: "a.rego", text }], undefined, { tracer: recorder, limits: { maxSteps: 5_000 } });
  policy.evaluate("data.a.many");
  const many = recorder.take();
  assert.equal(many.isCut, true);
  assert.equal(many.roots[0]!.children.length, 2);
  assert.throws(() => policy.evaluate("data.a.endless"), RegoLimitError);
  assert.equal(recorder.take().roots[0]!.defined, undefined);
});
