// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { planRound, STEPS } from "./kill_plan.ts";

Deno.test("planRound() is the same for the same seed, and in 300 rounds kills everything at every step it can", () => {
  assert.deepEqual(planRound(5, 7), planRound(5, 7));
  const plans = Array.from({ length: 300 }, (_, round) => planRound(1, round));
  const seen = new Set(plans.map(({ kill: { step, target } }) => `${target} at ${step}`));
  for (const step of STEPS) assert.ok(seen.has(`caa at ${step}`), step);
  for (const target of ["relay", "apf", "agent"]) {
    for (const step of STEPS.slice(STEPS.indexOf("StartVM"))) assert.ok(seen.has(`${target} at ${step}`), step);
  }
  assert.ok(plans.some(({ isFresh }) => isFresh) && plans.some(({ againMs }) => againMs !== undefined));
});
