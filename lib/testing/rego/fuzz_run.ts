// SPDX-License-Identifier: Apache-2.0
/** Compares OPA and lib/rego over random policies, one for each seed, and counts how they agree. */

import {
  type Agreement,
  agreement,
  askOpaQuestion,
  askRegoQuestion,
  type Question,
  type Reply,
} from "./differential.ts";
import { type FuzzPair, makePair, renderPair } from "./fuzz_policy.ts";
import { isOpaFault } from "./opa_faults.ts";
import { type OpaProcess, startOpa } from "./opa_process.ts";

/** Questions on their way to OPA at the same time. */
const IN_FLIGHT = 64;

export interface Difference {
  readonly seed: number;
  readonly pair: FuzzPair;
  readonly agreement: Agreement;
  readonly opa: Reply;
  readonly ours: Reply;
}

export interface FuzzReport {
  readonly counts: Readonly<Record<Agreement, number>>;
  /** Pairs that both answered with rows: the ones that say most. */
  readonly answered: number;
  readonly differences: readonly Difference[];
}

export interface FuzzOptions {
  readonly opa: OpaProcess;
  readonly seed: number;
  readonly count: number;
  /** Hears of each difference (and of each pair that only OPA refuses) when it is found. */
  readonly onDifference?: (difference: Difference) => void;
  readonly onProgress?: (done: number) => void;
}

export function questionOf(pair: FuzzPair): Question {
  return { ...renderPair(pair), query: pair.query, strict: pair.strict };
}

export async function comparePair(opa: OpaProcess, pair: FuzzPair): Promise<Omit<Difference, "seed">> {
  const question = questionOf(pair);
  const asked = askOpaQuestion(opa, question);
  const ours = askRegoQuestion(question);
  const theirs = await asked;
  const verdict = agreement(theirs, ours);
  const isExcused = verdict === "different" && isOpaFault(pair, theirs, ours);
  return { pair, agreement: isExcused ? "excused" : verdict, opa: theirs, ours };
}

/** OPA's type checker keeps what earlier policies taught it: a difference has to be one for an OPA that has just begun. */
async function confirm(found: Difference): Promise<Difference> {
  if (found.agreement !== "different" && found.agreement !== "accepted") return found;
  await using fresh = await startOpa();
  const again = await comparePair(fresh, found.pair);
  return again.agreement === "same" ? { ...found, agreement: "excused" } : { ...found, ...again };
}

/** Runs the seeds from `seed` to `seed + count - 1`. */
export async function fuzz(o: FuzzOptions): Promise<FuzzReport> {
  const counts: Record<Agreement, number> = { same: 0, refused: 0, stopped: 0, accepted: 0, excused: 0, different: 0 };
  const differences: Difference[] = [];
  let answered = 0;
  for (let first = o.seed; first < o.seed + o.count; first += IN_FLIGHT) {
    const size = Math.min(IN_FLIGHT, o.seed + o.count - first);
    const compared = await Promise.all(
      Array.from(
        { length: size },
        (_, i) => comparePair(o.opa, makePair(first + i)).then((d) => ({ ...d, seed: first + i })),
      ),
    );
    for (const found of compared) {
      const each = await confirm(found);
      counts[each.agreement]++;
      if (each.opa.kind === "rows" && each.ours.kind === "rows") answered++;
      if (each.agreement === "different") differences.push(each);
      if (each.agreement === "different" || each.agreement === "accepted") o.onDifference?.(each);
    }
    o.onProgress?.(first + size - o.seed);
  }
  return { counts, answered, differences };
}
