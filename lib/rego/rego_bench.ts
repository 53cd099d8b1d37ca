// SPDX-License-Identifier: Apache-2.0
import { alignColumns } from "../cli/output.ts";
import { compareSpeed, type Comparison, type Measured, rate } from "../testing/rego/bench_compare.ts";
import { benchPolicies, type BenchPolicy } from "../testing/rego/bench_policies.ts";

/** Seconds each subject decides for in each round, and rounds: enough for a compiler to have done its work. */
const SECONDS = 1;
const ROUNDS = 3;

/** Compared side by side in one run; Deno.bench cannot measure what runs in another process. */
const rows = [["policy", "evaluator", "decisions/s", "us each", "load ms", "peerctl is"]];
for (const policy of benchPolicies) {
  rows.push(...rowsOf(policy, await compareSpeed(policy, { seconds: SECONDS, rounds: ROUNDS })));
}
console.log(
  `Prepared decisions, the best of ${ROUNDS} rounds of ${SECONDS} s each, in turns:\n\n${alignColumns(rows)}`,
);

function rowsOf(policy: BenchPolicy, compared: Comparison): string[][] {
  const ours = compared.get("peerctl")!;
  return [...compared].map(([name, measured]) => [
    policy.name,
    name,
    Math.round(rate(measured)).toLocaleString("en"),
    (1e6 / rate(measured)).toFixed(2),
    (measured.loadSeconds * 1000).toFixed(1),
    name === "peerctl" ? "" : ratio(ours, measured),
  ]);
}

function ratio(ours: Measured, theirs: Measured): string {
  return `${(rate(ours) / rate(theirs)).toFixed(2)} times as fast`;
}
