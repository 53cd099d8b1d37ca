// SPDX-License-Identifier: Apache-2.0
/**
 * Compares OPA and lib/rego over random policies and prints each difference as small as it gets.
 *
 *     deno run -A lib/testing/rego/fuzz.ts [--seed N] [--count N] [--show N] [--accepted] [--save NAME]
 *     deno run -A lib/testing/rego/fuzz.ts --mode builtins [--seed N] [--count N] [--show N] [--only NAME]
 *
 * `--mode builtins` compares single calls of builtins instead, `--only` those whose names begin so.
 * `--show` is how many differences are made small and printed; `--accepted` shows those, too, that OPA refuses at load
 * and lib/rego answers; `--save` keeps each shown one in testdata/rego/regressions as NAME-SEED.json, with OPA's answer.
 */

import { parseArgs } from "node:util";
import { replyText } from "./differential.ts";
import { fuzzBuiltins } from "./fuzz_builtins.ts";
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
    mode: { type: "string", default: "policies" },
    only: { type: "string" },
  },
});

await using opa = await startOpa();
const started = performance.now();
const seed = Number(flags.seed);
const count = Number(flags.count);
Deno.exitCode = await (flags.mode === "builtins" ? compareBuiltins() : comparePolicies()) ? 0 : 1;

function onProgress(done: number): void {
  if (done % PROGRESS_EVERY === 0) console.log(`${done} pairs, ${Math.round(performance.now() - started)} ms`);
}

async function comparePolicies(): Promise<boolean> {
  const shown: Difference[] = [];
  const report = await fuzz({
    opa,
    seed,
    count,
    onDifference(each) {
      if (each.agreement === "accepted" && !flags.accepted) return;
      if (shown.length < Number(flags.show)) shown.push(each);
    },
    onProgress,
  });
  for (const difference of shown) await show(difference);
  console.log(JSON.stringify({ seed, count, ...report.counts, answered: report.answered }));
  return report.differences.length === 0;
}

async function compareBuiltins(): Promise<boolean> {
  const report = await fuzzBuiltins({ opa, seed, count, only: flags.only, onProgress });
  for (const { seed, call, opa, ours } of report.differences.slice(0, Number(flags.show))) {
    console.log(
      `--- seed ${seed}: ${call.name}(${call.args.join(", ")})\n  OPA   ${replyText(opa)}\n  ours  ${replyText(ours)}`,
    );
  }
  console.log(JSON.stringify({ seed, count, ...report.counts, answered: report.answered }));
  return report.differences.length === 0;
}

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
