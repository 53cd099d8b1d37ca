// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { benchPolicies } from "../testing/rego/bench_policies.ts";
import { parseJson } from "./json.ts";
import { compile } from "./policy.ts";
import type { RegoObject } from "./values.ts";

/** Longest time to load a policy as long as kata's, in milliseconds. */
const MAX_LOAD_MS = 100;

Deno.test("compile() loads a policy of kata's size in less than 100 ms, and it decides", () => {
  const large = benchPolicies.at(-1)!;
  assert.ok(large.module.split("\n").length >= 1_800);
  const times: number[] = [];
  // The first time is that of the JavaScript compiler, too; the machine may be busy with other tests.
  for (let i = 0; i < 8; i++) {
    const data = parseJson(large.data) as RegoObject;
    const started = performance.now();
    const decision = compile([{ path: "large.rego", text: large.module }], data).prepare(large.query);
    times.push(performance.now() - started);
    assert.deepEqual(large.inputs.map((input) => decision.decide(parseJson(input))), [true, true, false]);
  }
  assert.ok(Math.min(...times) < MAX_LOAD_MS, `it took ${times.map(Math.round)} ms`);
});
