// SPDX-License-Identifier: Apache-2.0
/** Measures prepared decisions of lib/rego, OPA and regorus on the same policies, in turns. */

import assert from "node:assert/strict";
import { fromJson, parseJson, toJson } from "../../rego/json.ts";
import { compile } from "../../rego/policy.ts";
import type { RegoObject, Value } from "../../rego/values.ts";
import { opaPeer, regorusPeer, requirePeer } from "../peers.ts";
import type { BenchPolicy } from "./bench_policies.ts";

/** Decisions between two looks at the clock. */
const BATCH = 32;

/** What one evaluator did with one policy. */
export interface Measured {
  readonly decisions: number;
  readonly seconds: number;
  readonly loadSeconds: number;
  /** The decision for each input; undefined and null are the same here. */
  readonly results: readonly unknown[];
}

/** The best of some rounds by subject; a subject that cannot be had is not there. */
export type Comparison = ReadonlyMap<string, Measured>;

interface BenchLine {
  readonly decisions: number;
  readonly seconds: number;
  readonly load_seconds: number;
  readonly results: readonly unknown[];
  readonly error?: string;
}

/**
 * Lets each subject decide for `seconds` in each of `rounds`, one after the other, and keeps the best round of each:
 * what disturbs a machine only ever makes a round worse.
 *
 * Inputs are ready values for all of them; OPA is also measured with inputs that each decision converts.
 */
export async function compareSpeed(
  policy: BenchPolicy,
  o: { readonly seconds: number; readonly rounds: number },
): Promise<Comparison> {
  const best = new Map<string, Measured>();
  const add = (name: string, measured: Measured) => {
    const known = best.get(name);
    if (known === undefined || rate(measured) > rate(known)) best.set(name, measured);
  };
  for (let round = 0; round < o.rounds; round++) {
    add("peerctl", measureOurs(policy, o.seconds));
    if (!requirePeer("go").ignore) {
      const opa = await opaPeer();
      add("OPA", await measurePeer(opa, ["bench"], policy, o.seconds, true));
      add("OPA, converting", await measurePeer(opa, ["bench"], policy, o.seconds, false));
    }
    if (!requirePeer("cargo").ignore) {
      for (const [name, line] of Object.entries(await runBench(await regorusPeer(), [], policy, o.seconds, true))) {
        if ((line as BenchLine).error === undefined) add(`regorus, ${name}`, measuredOf(line as BenchLine));
        else console.log(`regorus (${name}) cannot decide ${policy.name}: ${(line as BenchLine).error}`);
      }
    }
  }
  for (const [name, { results }] of best) {
    assert.deepEqual(results, best.get("peerctl")!.results, `${name} decides alike`);
  }
  return best;
}

/** Decisions in a second. */
export function rate({ decisions, seconds }: Measured): number {
  return decisions / seconds;
}

function measureOurs(policy: BenchPolicy, seconds: number): Measured {
  const started = performance.now();
  const compiled = compile([{ path: "bench.rego", text: policy.module }], parseJson(policy.data) as RegoObject);
  const decision = compiled.prepare(policy.query);
  const loadSeconds = (performance.now() - started) / 1000;
  const inputs = policy.inputs.map((text) => parseJson(text));
  const results = inputs.map((input) => plain(decision.decide(input)));
  const run = (limit: number) => {
    const begun = performance.now();
    for (let n = 0;;) {
      for (let i = 0; i < BATCH; i++) decision.decide(inputs[n++ % inputs.length]);
      const passed = (performance.now() - begun) / 1000;
      if (passed >= limit) return { decisions: n, seconds: passed };
    }
  };
  run(seconds / 3);
  return { ...run(seconds), loadSeconds, results };
}

function plain(value: Value | undefined): unknown {
  return value === undefined ? null : toJson(fromJson(value));
}

async function measurePeer(path: string, args: string[], policy: BenchPolicy, seconds: number, parsed: boolean) {
  return measuredOf(await runBench(path, args, policy, seconds, parsed) as unknown as BenchLine);
}

function measuredOf({ decisions, seconds, load_seconds, results }: BenchLine): Measured {
  return { decisions, seconds, loadSeconds: load_seconds, results };
}

async function runBench(
  path: string,
  args: string[],
  policy: BenchPolicy,
  seconds: number,
  parsed: boolean,
): Promise<Record<string, unknown>> {
  const child = new Deno.Command(path, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const request = {
    modules: { "bench.rego": policy.module },
    data: JSON.parse(policy.data),
    query: policy.query,
    inputs: policy.inputs.map((text) => JSON.parse(text)),
    seconds,
    parsed,
  };
  const writer = child.stdin.getWriter();
  const [output] = await Promise.all([
    child.output(),
    writer.write(new TextEncoder().encode(JSON.stringify(request))).then(() => writer.close()),
  ]);
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!output.success) throw new Error(`${path} failed: ${stderr}`);
  return JSON.parse(stdout!);
}
