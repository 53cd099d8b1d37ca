// SPDX-License-Identifier: Apache-2.0
/** Kills caa, relay, apf and agent at random moments of a pod's life, and checks each time that nothing is left. */

import { parseArgs } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { playShim } from "../demo/shim_sequence.ts";
import type { Steps } from "../demo/steps.ts";
import { createKilledNode, type KilledNode } from "./killed_node.ts";
import { describePlan, type Plan, planRound, type Target } from "./kill_plan.ts";
import { findLeftovers, findUnknownInstances } from "./leftovers.ts";

/** How long one round may take, in milliseconds: most take three seconds. */
const ROUND_LIMIT_MS = 90_000;

/** How long a pod that has lost its relay, forwarder or agent goes on asking, in milliseconds; the real shim is as short. */
const LOST_MS = 5_000;

/** How long what was killed or told to end may still be seen, in milliseconds. */
const SETTLE_MS = 5_000;
const SETTLE_POLL_MS = 50;

/** How long a relay without pods and without caa may live, in milliseconds: ten seconds, and time to end. */
const RELAY_END_MS = 15_000;

export interface KillLoopOptions {
  readonly seed: number;
  /** Rounds; each kills once or twice. */
  readonly count: number;
  /** The first round; one round of a failed run is repeated with this and a count of 1. */
  readonly first?: number;
  onRound?(line: string): void;
}

export interface KillReport {
  readonly kills: number;
  /** How often each target was killed at each step: "relay at StartVM". */
  readonly counts: Readonly<Record<string, number>>;
  /** One text for each round that went wrong. */
  readonly failures: readonly string[];
}

/** Runs the rounds, all in one installation as long as none fails, so that what is left piles up and shows. */
export async function runKillLoop(options: KillLoopOptions): Promise<KillReport> {
  const { seed, count, first = 0, onRound = () => {} } = options;
  const counts: Record<string, number> = {};
  const failures: string[] = [];
  const record = (target: Target, step: string) => {
    const key = `${target} at ${step}`;
    counts[key] = (counts[key] ?? 0) + 1;
  };
  for (let round = first; round < first + count;) {
    await withNode(async (node) => {
      for (let isFine = true; isFine && round < first + count; round++) {
        const plan = planRound(seed, round);
        const startedAt = performance.now();
        const sandboxId = `r${round}`;
        const problems = plan.isFresh
          ? await withNode((fresh) => playRound(fresh, plan, sandboxId, record))
          : await playRound(node, plan, sandboxId, record);
        isFine = problems.length === 0;
        const head = `round ${round}: ${describePlan(plan)}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
        if (!isFine) failures.push([head, ...problems].join("\n  "));
        onRound(isFine ? head : failures.at(-1)!);
      }
      if (failures.length === 0) failures.push(...await findAfterEnd(node));
    });
  }
  return { kills: Object.values(counts).reduce((sum, n) => sum + n, 0), counts, failures };
}

async function withNode<T>(use: (node: KilledNode) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "peerctl-kill-" });
  try {
    await using node = createKilledNode(dir);
    return await use(node);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** One pod from CreateVM to StopVM with its kill; answers what went wrong. */
async function playRound(
  node: KilledNode,
  plan: Plan,
  sandboxId: string,
  record: (target: Target, step: string) => void,
): Promise<string[]> {
  const { step, target, afterMs } = plan.kill;
  let hasStepEnded = false;
  let killed: Target | undefined;
  const lost = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function strike(): Promise<void> {
    await node.noteInstances();
    killed = await node.kill(target, () => hasStepEnded) ? target : "caa";
    if (killed !== target) await node.kill("caa", () => true);
    record(killed, step);
    if (killed !== "caa") {
      timer = setTimeout(() => lost.abort(), LOST_MS);
      return;
    }
    node.startCaa();
    if (plan.againMs === undefined) return;
    await delay(plan.againMs);
    await node.kill("caa", () => true);
    record("caa", "start caa again");
    node.startCaa();
  }

  const steps: Steps = {
    results: [],
    async step(name, run) {
      if (name === "StopVM") await node.serve();
      if (name !== step) return (await run()).value;
      hasStepEnded = false;
      const ended = run().finally(() => hasStepEnded = true);
      if (afterMs === undefined) await ended;
      else {
        await delay(afterMs);
        // What the step came to is asked for below: the kill comes also when it failed or ended before.
        ended.catch(() => {});
      }
      await strike();
      return (await ended).value;
    },
  };

  const problems: string[] = [];
  try {
    if (step === "start caa") {
      await node.caaEnded();
      node.startCaa();
      await delay(afterMs);
      await strike();
    }
    await node.serve();
    const failure = await play(node, sandboxId, steps, lost.signal);
    await node.noteInstances();
    // Pods do not notice a restart of caa, once they run.
    const isBystander = killed === "caa" && !["CreateVM", "StartVM", "StopVM"].includes(step);
    if (failure !== undefined && isBystander) problems.push(`the pod noticed: ${failure}`);
    await node.serve();
    problems.push(...await findUnknownInstances(node.dir));
    await node.stopVM(sandboxId);
    problems.push(...await settled(() => leftoversOf(node), SETTLE_MS));
  } catch (error) {
    problems.push(error instanceof Error ? error.stack ?? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
  return problems.length === 0 ? [] : [...problems, ...node.logTail().split("\n").map((line) => `| ${line}`)];
}

/** Plays the sequence of the demo; answers why it failed, if it did. */
async function play(
  node: KilledNode,
  sandboxId: string,
  steps: Steps,
  lost: AbortSignal,
): Promise<string | undefined> {
  const { hypervisorSocket } = node;
  const limit = AbortSignal.timeout(ROUND_LIMIT_MS);
  try {
    await playShim({ hypervisorSocket, sandboxId, steps, signal: AbortSignal.any([lost, limit]) });
    return undefined;
  } catch (error) {
    if (limit.aborted) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

function leftoversOf(node: KilledNode): Promise<string[]> {
  return findLeftovers({ dir: node.dir, caaPid: node.caa.pid, markers: node.markers });
}

/** Looks again for a while: what was killed takes a moment to go. */
async function settled(look: () => Promise<string[]>, limitMs: number): Promise<string[]> {
  const until = performance.now() + limitMs;
  let found = await look();
  for (; found.length > 0 && performance.now() < until; found = await look()) await delay(SETTLE_POLL_MS);
  return found;
}

/** What is left when caa has been stopped in good order and its relays had time to end. */
async function findAfterEnd(node: KilledNode): Promise<string[]> {
  await node.serve();
  const code = await node.caa.stop();
  const problems = code === 0 ? [] : [`caa ended with ${code}`];
  const look = async () => [
    ...await findLeftovers({ dir: node.dir, caaPid: undefined, markers: node.markers }),
    ...[...Deno.readDirSync(node.dir)].filter(({ name }) => name === "h.sock").map(() => "file h.sock"),
    ...node.relays().map(({ commandLine }) => commandLine),
  ];
  return [...problems, ...await settled(look, RELAY_END_MS)];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(crypto.getRandomValues(new Uint16Array(1))[0]) },
      count: { type: "string", default: "300" },
      first: { type: "string", default: "0" },
    },
  });
  const [seed, count, first] = [values.seed, values.count, values.first].map(Number) as [number, number, number];
  console.log(`seed ${seed}, ${count} rounds`);
  const startedAt = performance.now();
  const { kills, counts, failures } = await runKillLoop({ seed, count, first, onRound: (line) => console.log(line) });
  console.log(Object.entries(counts).sort().map(([what, times]) => `${what}: ${times}`).join("\n"));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  console.log(`seed ${seed}: ${kills} kills in ${seconds} s, ${failures.length} rounds went wrong`);
  return failures.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main();
