// SPDX-License-Identifier: Apache-2.0
/**
 * Compares OPA and lib/rego over random policies and prints each difference as small as it gets.
 *
 *     deno run -A lib/testing/rego/fuzz.ts [--seed N] [--count N] [--show N] [--accepted] [--save NAME]
 *
 * `--show` is how many differences are made small and printed; `--accepted` shows those, too, that OPA refuses at load
 * and lib/rego answers; `--save` keeps each shown one in testdata/rego/regressions as NAME-SEED.json, with OPA's answer.
 */

import { parseArgs } from "node:util";
import { replyText } from "./differential.ts";
import { renderPair } from "./fuzz_policy.ts";
import { comparePair, type Difference, fuzz, questionOf } from "./fuzz_run.ts";
import { shrinkPair } from "./fuzz_shrink.ts";
import { startOpa } from "./opa_process.ts";
import { saveRegression } from "./regressions.ts";

/** Pairs between two signs of life. */
const PROGRESS_EVERY = 9_600;

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "10000" },
    show: { type: "string", default: "10" },
    accepted: { type: "boolean", default: false },
    save: { type: "string" },
  },
});

await using opa = await startOpa();
const shown: Difference[] = [];
const started = performance.now();
const report = await fuzz({
  opa,
  seed: Number(flags.seed),
  count: Number(flags.count),
  onDifference(each) {
    if (each.agreement === "accepted" && !flags.accepted) return;
    if (shown.length < Number(flags.show)) shown.push(each);
  },
  onProgress(done) {
    if (done % PROGRESS_EVERY === 0) console.log(`${done} pairs, ${Math.round(performance.now() - started)} ms`);
  },
});
for (const difference of shown) await show(difference);
console.log(
  JSON.stringify({ seed: Number(flags.seed), count: Number(flags.count), ...report.counts, answered: report.answered }),
);
Deno.exitCode = report.differences.length > 0 ? 1 : 0;

async function show(difference: Difference): Promise<void> {
  const pair = await shrinkPair(difference.pair, async (smaller) => {
    const again = await comparePair(opa, smaller);
    return again.agreement === difference.agreement && again.opa.kind === difference.opa.kind &&
      again.ours.kind === difference.ours.kind;
  });
  const { policy, data, input } = renderPair(pair);
  const again = await comparePair(opa, pair);
  console.log(`--- seed ${difference.seed} (${difference.agreement})${pair.strict ? " strict" : ""}: ${pair.query}`);
  console.log(`${policy.trim()}\n  data  ${data}\n  input ${input ?? "none"}`);
  console.log(`  OPA   ${replyText(again.opa)}\n  ours  ${replyText(again.ours)}`);
  if (flags.save !== undefined && again.opa.kind !== "stopped") {
    await saveRegression(`${flags.save}-${difference.seed}`, questionOf(pair), again.opa);
  }
}
