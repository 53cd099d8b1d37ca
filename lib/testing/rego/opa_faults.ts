// SPDX-License-Identifier: Apache-2.0
/** Knows what OPA v1.22.0 answers wrongly, so that it is not counted as a difference. */

import type { Reply } from "./differential.ts";
import { type FuzzPair, renderPair } from "./fuzz_policy.ts";

/** A body of one expression that OPA takes for the body `true` when the head needs expressions of its own. */
const TRUE_IN_DISGUISE = /^(?:not \(*true\)*$|\(*true\)* with )/;

/** A set of several members, one of which is not a constant. */
const COMPUTED_SET = /\{[^{}:|]*,[^{}|]*\}/;

/**
 * - `x := input.a if { not true }` and `x := input.a if { true with input as data.none }`: the body is lost, x has a value.
 * - `[1 | some x in {1, input.one}]`: members that become equal are visited once each: [1, 1].
 * - `y > [1 | z]` with y unbound: for z it forgets to refuse y, and fails or drops the expression when it is evaluated.
 */
export function isOpaFault(pair: FuzzPair, opa: Reply, ours: Reply): boolean {
  if (pair.clauses.some(({ body }) => body.length === 1 && TRUE_IN_DISGUISE.test(body[0]!))) return true;
  const { policy } = renderPair(pair);
  if (ours.kind === "error" && ours.stage === "load") {
    const isAccepted = !(opa.kind === "error" && opa.stage === "load");
    const line = policy.split("\n")[Number(/^fuzz\.rego:(\d+):/.exec(ours.message)?.[1] ?? 0) - 1] ?? "";
    return isAccepted && ours.codes.every((code) => code === "rego_unsafe_var_error") && line.includes("|");
  }
  return ours.kind === "rows" && opa.kind !== "stopped" && COMPUTED_SET.test(policy) && repeats(opa, ours);
}

/** True when the answers are the same but for members that stand several times. */
function repeats(opa: Reply, ours: Reply): boolean {
  const members = (text: string) => [...new Set(text.split(/[,\[\]<>{}]/))].sort().join();
  return opa.kind === "rows" && ours.kind === "rows" && members(opa.text) === members(ours.text);
}
