// SPDX-License-Identifier: Apache-2.0
/** Decides from a seed what is killed when, in each round of the kill loop. */

import { createSeededRandom } from "./seeded_random.ts";

/** What can be killed. */
export type Target = "caa" | "relay" | "apf" | "agent";

/** Steps of a round: the start of caa, then those of the demo. */
export const STEPS = [
  "start caa",
  "CreateVM",
  "StartVM",
  "Check",
  "CreateSandbox",
  "CopyFile",
  "CreateContainer",
  "StartContainer",
  "ReadStdout",
  "ExecProcess",
  "WriteStdin",
  "WaitProcess",
  "DestroySandbox",
  "StopVM",
] as const;
export type Step = (typeof STEPS)[number];

/** How long a step takes on an idle machine, in milliseconds: a kill in its middle comes after a part of it. */
export const TYPICAL_MS: Readonly<Record<Step, number>> = {
  "start caa": 700,
  CreateVM: 25,
  StartVM: 900,
  Check: 10,
  CreateSandbox: 5,
  CopyFile: 20,
  CreateContainer: 8,
  StartContainer: 30,
  ReadStdout: 8,
  ExecProcess: 15,
  WriteStdin: 450,
  WaitProcess: 60,
  DestroySandbox: 5,
  StopVM: 120,
};

/** How soon after the beginning of StopVM there is no apf and no agent left to kill, in milliseconds. */
const VM_END_MS = 15;

/** The steps in which most is begun and not finished come most often. */
const STEP_WEIGHTS: Partial<Record<Step, number>> = { "start caa": 8, CreateVM: 6, StartVM: 7, StopVM: 6 };

export interface Kill {
  readonly step: Step;
  readonly target: Target;
  /** After this time from the beginning of the step, in milliseconds; undefined for right after its end. */
  readonly afterMs: number | undefined;
}

export interface Plan {
  readonly kill: Kill;
  /** A caa that was killed is killed once more this long after it was started again, in milliseconds. */
  readonly againMs: number | undefined;
  /** Begins with an empty directory, where caa makes its keys and its journal. */
  readonly isFresh: boolean;
}

/** Every step with everything that can be killed in it: before StartVM nothing but caa runs. */
const PAIRS: readonly (readonly [Step, Target])[] = STEPS.flatMap((step) =>
  (step === "start caa" || step === "CreateVM" ? ["caa"] as const : ["caa", "relay", "apf", "agent"] as const)
    .map((target) => [step, target] as const)
);

/** The plan of one round: every second round the next of all pairs, in an order of the seed's, else any. */
export function planRound(seed: number, round: number): Plan {
  const random = createSeededRandom(seed * 1_000_003 + round);
  const [step, target] = round % 2 === 0
    ? shuffled(PAIRS, seed)[(round / 2) % PAIRS.length]!
    : random.pick(PAIRS.map((pair) => [pair, STEP_WEIGHTS[pair[0]] ?? 1] as const));
  // Before caa serves there is no step to be after.
  const isInVm = target === "apf" || target === "agent";
  const isDuring = step === "start caa" || (step === "StopVM" && isInVm) || random.next() < 0.7;
  const longestMs = step === "StopVM" && isInVm ? VM_END_MS : TYPICAL_MS[step];
  const afterMs = isDuring ? Math.round(random.next() * longestMs) : undefined;
  const againMs = target === "caa" && random.next() < 0.3
    ? Math.round(random.next() * 1.2 * TYPICAL_MS["start caa"])
    : undefined;
  return { kill: { step, target, afterMs }, againMs, isFresh: step === "start caa" && random.next() < 0.5 };
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = createSeededRandom(seed);
  return items.map((item) => [random.next(), item] as const).sort(([a], [b]) => a - b).map(([, item]) => item);
}

/** As people read it. */
export function describePlan({ kill: { step, target, afterMs }, againMs, isFresh }: Plan): string {
  const when = afterMs === undefined ? `after ${step}` : `${afterMs} ms into ${step}`;
  const again = againMs === undefined ? "" : `, and again ${againMs} ms after its start`;
  return `kill ${target} ${when}${again}${isFresh ? ", in an empty directory" : ""}`;
}
