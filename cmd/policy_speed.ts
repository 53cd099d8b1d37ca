// SPDX-License-Identifier: Apache-2.0
/** `peerctl policy bench`: measures how fast a prepared decision is. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { durationFlag, type ValuesOf } from "../lib/cli/flags.ts";
import type { Output } from "../lib/cli/output.ts";
import { formatJson } from "../lib/rego/json.ts";
import { compile, type Decision } from "../lib/rego/policy.ts";
import { loadPolicyFiles } from "../lib/rego/policy_files.ts";
import type { Value } from "../lib/rego/values.ts";
import { limitsOf, queryArgument, questionFlags, readInput } from "./policy_flags.ts";
import { reportingErrors, sourcesOf } from "./policy_report.ts";

const MICROSECONDS_PER_MILLISECOND = 1000;

/** Decisions between two looks at the clock: the clock itself takes about as long as a small decision. */
const BATCH = 64;

/** Part of the time that is spent before measuring, so that the code is compiled. */
const WARM_UP = 0.2;

const flags = {
  ...questionFlags,
  duration: durationFlag("duration", { default: "3s", min: "10ms", help: "how long to measure" }),
};

export const policyBenchCommand = defineCommand({
  name: "policy bench",
  summary: "measure how fast a prepared decision is",
  description:
    "Prepares a decision, makes it again and again for some time, and shows how many there were in a second.",
  flags,
  positional: queryArgument,
  goStyle: false,
  examples: [
    { text: "Measure one decision", command: "policy bench -d kubelet.rego -i request.json data.kubelet.deny" },
  ],
  run: ({ args, values, output }) => benchPolicy(args[0]!, values, output),
});

async function benchPolicy(query: string, values: ValuesOf<typeof flags>, output: Output): Promise<number> {
  const { modules, data } = loadPolicyFiles(values.data);
  return await reportingErrors(new Map([...sourcesOf(modules), ["query", query]]), output, async () => {
    const started = performance.now();
    const policy = compile(modules, data, {
      limits: limitsOf(values),
      strictBuiltinErrors: values.strictBuiltinErrors,
    });
    const decision = policy.prepare(query);
    const loadMs = performance.now() - started;
    const input = await readInput(values.input);
    const value = decision.decide(input);
    measure(decision, input, values.duration * WARM_UP);
    const { decisions, batchMs } = measure(decision, input, values.duration * (1 - WARM_UP));
    const totalMs = batchMs.reduce((sum, each) => sum + each, 0);
    const sorted = batchMs.toSorted((a, b) => a - b);
    const microseconds = (share: number) =>
      round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! / BATCH);
    const report = {
      query,
      defined: value !== undefined,
      loadMilliseconds: Math.round(loadMs * 10) / 10,
      decisions,
      perSecond: Math.round(decisions / totalMs * 1000),
      microseconds: {
        mean: round(totalMs / decisions),
        p50: microseconds(0.5),
        p99: microseconds(0.99),
      },
    };
    if (output.format === "json") output.json(report);
    else {
      output.table([
        ["result", value === undefined ? "undefined" : formatJson(value).slice(0, 100)],
        ["load and prepare", `${report.loadMilliseconds} ms`],
        ["decisions", String(report.decisions)],
        ["per second", String(report.perSecond)],
        ["mean", `${report.microseconds.mean} us`],
        ["median", `${report.microseconds.p50} us`],
        ["99 %", `${report.microseconds.p99} us`],
      ]);
    }
    return ExitCode.done;
  });
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * MICROSECONDS_PER_MILLISECOND * 100) / 100;
}

function measure(
  decision: Decision,
  input: Value | undefined,
  milliseconds: number,
): { decisions: number; batchMs: number[] } {
  const batchMs: number[] = [];
  const end = performance.now() + milliseconds;
  let now = performance.now();
  do {
    for (let i = 0; i < BATCH; i++) decision.decide(input);
    const after = performance.now();
    batchMs.push(after - now);
    now = after;
  } while (now < end);
  return { decisions: batchMs.length * BATCH, batchMs };
}
