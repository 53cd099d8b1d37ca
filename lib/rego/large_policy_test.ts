// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { benchPolicies } from "../testing/rego/bench_policies.ts";
import { parseJson } from "./json.ts";
import { compile } from "./policy.ts";
import type { RegoObject } from "./values.ts";

// How long it takes to load is for the bench to say.
Deno.test("compile() loads a policy of kata's size, and it decides", () => {
  const large = benchPolicies.at(-1)!;
  assert.ok(large.module.split("\n").length >= 1_800);
  const data = parseJson(large.data) as RegoObject;
  const decision = compile([{ path: "large.rego", text: large.module }], data).prepare(large.query);
  assert.deepEqual(large.inputs.map((input) => decision.decide(parseJson(input))), [true, true, false]);
});
