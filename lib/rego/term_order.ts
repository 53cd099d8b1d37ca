// SPDX-License-Identifier: Apache-2.0
/** The order in which OPA keeps the members of a set or object that is written in a policy, and evaluates them. */

import type { Term } from "./ast.ts";
import { compareStrings, compareValues } from "./values.ts";

/** Kinds in their order; scalars come before all of them. */
const RANK: Readonly<Record<Term["kind"], number>> = {
  scalar: 0,
  template: 1,
  var: 2,
  ref: 3,
  array: 4,
  object: 5,
  set: 6,
  comprehension: 7,
  call: 8,
};

const COMPREHENSION_RANK = { array: 0, object: 1, set: 2 };

type Pair = readonly [key: Term, value: Term];

/** The members of an object by their keys; of two with the same key the later one. */
export function sortPairs(pairs: readonly Pair[]): readonly Pair[] {
  if (pairs.length < 2) return pairs;
  const sorted = [...pairs].sort(([a], [b]) => compareTerms(a, b));
  return sorted.filter(([key], i) => {
    const next = sorted[i + 1]?.[0];
    return next === undefined || (key.kind !== "scalar" && key.kind !== "var") || compareTerms(key, next) !== 0;
  });
}

export function sortItems(items: readonly Term[]): readonly Term[] {
  return items.length < 2 ? items : [...items].sort(compareTerms);
}

/** Terms that hold closures may compare as equal without being so. */
function compareTerms(a: Term, b: Term): number {
  if (a.kind === "scalar" && b.kind === "scalar") return compareValues(a.value, b.value);
  if (a.kind === "var" && b.kind === "var") return compareStrings(opaName(a.name), opaName(b.name));
  if (a.kind === "ref" && b.kind === "ref") return compareLists([a.head, ...a.path], [b.head, ...b.path]);
  if (a.kind === "array" && b.kind === "array") return compareLists(a.items, b.items);
  if (a.kind === "set" && b.kind === "set") return compareLists(sortItems(a.items), sortItems(b.items));
  if (a.kind === "object" && b.kind === "object") {
    return compareLists(sortPairs(a.pairs).flat(), sortPairs(b.pairs).flat());
  }
  if (a.kind === "comprehension" && b.kind === "comprehension" && a.of !== b.of) {
    return COMPREHENSION_RANK[a.of] - COMPREHENSION_RANK[b.of];
  }
  if (a.kind === "call" && b.kind === "call") {
    return compareStrings(a.operator.join("\0"), b.operator.join("\0")) || compareLists(a.args, b.args);
  }
  return RANK[a.kind] - RANK[b.kind];
}

function compareLists(a: readonly Term[], b: readonly Term[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareTerms(a[i] as Term, b[i] as Term);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Names that no policy can hold sort as OPA's own for them do. */
function opaName(name: string): string {
  if (name.startsWith("_$")) return name.slice(1);
  return name.startsWith("$") || name.includes("#") ? `__local${name}` : name;
}
