// SPDX-License-Identifier: Apache-2.0
/** Which variables become known when two terms are made equal. */

import type { Term } from "./ast.ts";
import { termVars } from "./term_walk.ts";

const PATTERN = { skipRefHeads: true, skipObjectKeys: true, skipClosures: true };

/** The variables that `a = b` makes known when those in `safe` are. */
export function unifiedVars(safe: ReadonlySet<string>, a: Term, b: Term): Set<string> {
  const unified = new Set<string>();
  /** A variable, and those that must be known before it is. */
  const unknown = new Map<string, Set<string>>();
  const isSafe = (name: string) => safe.has(name) || unified.has(name);

  function markSafe(name: string): void {
    unified.add(name);
    const dependencies = unknown.get(name);
    unknown.delete(name);
    for (const other of dependencies ?? []) markSafe(other);
    for (const [dependent, needs] of [...unknown]) {
      if (needs.delete(name) && needs.size === 0 && unknown.has(dependent)) markSafe(dependent);
    }
  }

  function markUnknown(name: string, needs: string): void {
    const known = unknown.get(name);
    if (known) known.add(needs);
    else unknown.set(name, new Set([needs]));
  }

  function markAll(term: Term): void {
    for (const name of termVars(term, new Set(), PATTERN)) markSafe(name);
  }

  function composite(name: string, pattern: Term): void {
    if (isSafe(name)) return markAll(pattern);
    const unsafe = [...termVars(pattern, new Set(), PATTERN)].filter((v) => !isSafe(v));
    if (unsafe.length === 0) markSafe(name);
    for (const v of unsafe) markUnknown(name, v);
  }

  function unify(x: Term, y: Term): void {
    if (x.kind !== "var" && y.kind === "var") return unify(y, x);
    if (x.kind === "var") {
      if (y.kind === "var") {
        if (isSafe(y.name)) markSafe(x.name);
        else if (isSafe(x.name)) markSafe(y.name);
        else {
          markUnknown(x.name, y.name);
          markUnknown(y.name, x.name);
        }
      } else if (y.kind === "array" || y.kind === "object") composite(x.name, y);
      else if (isKnown(y)) markSafe(x.name);
      return;
    }
    const xIsPattern = x.kind === "array" || x.kind === "object";
    const yIsPattern = y.kind === "array" || y.kind === "object";
    if (x.kind === "array" && y.kind === "array") {
      if (x.items.length === y.items.length) x.items.forEach((item, i) => unify(item, y.items[i] as Term));
    } else if (x.kind === "object" && y.kind === "object") {
      if (x.pairs.length !== y.pairs.length) return;
      for (const [key, value] of x.pairs) {
        const other = y.pairs.find(([otherKey]) => sameKey(key, otherKey));
        if (other) unify(value, other[1]);
      }
    } else if (xIsPattern && !yIsPattern) opposite(x, y, x.kind === "array");
    // As OPA, which is stricter here on the one side, there on the other.
    else if (yIsPattern && !xIsPattern) opposite(y, x, x.kind === "comprehension" && x.of === y.kind);
  }

  /** Of a reference, what it begins with; of a call that is not taken apart yet, its arguments. */
  function isKnown(term: Term): boolean {
    if (term.kind === "ref") return isRefSafe(term, safe);
    return term.kind !== "call" || termVars(term, new Set(), { skipClosures: true }).isSubsetOf(safe);
  }

  /** `fits`: a comprehension opposite makes the pattern's variables known. */
  function opposite(pattern: Term, other: Term, fits: boolean): void {
    if ((other.kind === "ref" || other.kind === "call") && isKnown(other)) markAll(pattern);
    if (other.kind === "comprehension" && fits) markAll(pattern);
  }

  unify(a, b);
  return unified;
}

/** Keys of two object patterns that are certainly equal: the same constant or the same variable. */
export function sameKey(a: Term, b: Term): boolean {
  if (a.kind === "var") return b.kind === "var" && a.name === b.name;
  return a.kind === "scalar" && b.kind === "scalar" && a.value === b.value;
}

/** True when what the reference begins with is known. */
export function isRefSafe(ref: Term & { kind: "ref" }, safe: ReadonlySet<string>): boolean {
  return termVars(ref.head, new Set(), { skipClosures: true }).isSubsetOf(safe);
}
