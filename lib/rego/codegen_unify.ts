// SPDX-License-Identifier: Apache-2.0
/** Compiles equations: takes patterns apart, and solves the parts in an order in which one side is known. */

import type { Term } from "./ast.ts";
import {
  type Bound,
  constantOf,
  generateEval,
  generateMatch,
  generateReference,
  type Generator,
  internal,
  isKnown,
  mayEqual,
  type Reference,
} from "./codegen.ts";
import type { Eval, Match, Step } from "./runtime.ts";
import { termVars } from "./term_walk.ts";
import { equalValues, keyOf, type Value } from "./values.ts";

type Pair = readonly [Term, Term];

export function generateUnify(g: Generator, equation: Pair, bound: Bound, next: Step): Step {
  const pairs: Pair[] = [];
  if (!takeApart(equation, pairs)) return () => false;
  return solve(g, pairs, bound, next);
}

/** Collects what must be equal for two terms to be; false when they never are. */
function takeApart([a, b]: Pair, pairs: Pair[]): boolean {
  if (a.kind === "array" && b.kind === "array") {
    if (a.items.length !== b.items.length) return false;
    return a.items.every((item, i) => takeApart([item, b.items[i] as Term], pairs));
  }
  if (a.kind === "object" && b.kind === "object") {
    const other = new Map(b.pairs.map(([key, value]) => [mapKey(key), value]));
    const isPlain = [...a.pairs, ...b.pairs].every(([key]) => mapKey(key) !== undefined);
    if (isPlain) {
      const own = new Map(a.pairs.map(([key, value]) => [mapKey(key), value]));
      if (own.size !== other.size) return false;
      for (const [key, value] of own) {
        const opposite = other.get(key);
        if (opposite === undefined || !takeApart([value, opposite], pairs)) return false;
      }
      return true;
    }
  }
  pairs.push([a, b]);
  return true;
}

function mapKey(term: Term): ReturnType<typeof keyOf> | undefined {
  const value = constantOf(term);
  return value === undefined ? undefined : keyOf(value);
}

/** True when values of the term can be computed now; the path of a reference may bind variables on the way. */
function isReady(term: Term, bound: Bound): boolean {
  if (term.kind === "ref") return termVars(term.head, new Set()).isSubsetOf(bound);
  return isKnown(term, bound);
}

function solve(g: Generator, pairs: readonly Pair[], bound: Bound, next: Step): Step {
  const at = pairs.findIndex(([a, b]) => isReady(a, bound) || isReady(b, bound));
  if (at < 0) {
    const first = pairs[0];
    if (first) throw internal("an equation has no known side", first[0]);
    return next;
  }
  const [a, b] = pairs[at] as Pair;
  const rest = pairs.filter((_, i) => i !== at);
  const after = new Set(bound);
  termVars(a, after, { skipClosures: true });
  termVars(b, after, { skipClosures: true });
  const then = rest.length === 0 ? next : solve(g, rest, after, next);
  return isSecondFirst(a, b, bound)
    ? generatePair(g, b, a, new Set(bound), then)
    : generatePair(g, a, b, new Set(bound), then);
}

/** A side that is fully known is computed first, so that the other one can be looked up by it. */
function isSecondFirst(a: Term, b: Term, bound: Bound): boolean {
  if (!isReady(a, bound) || !isReady(b, bound)) return !isReady(a, bound);
  // As OPA: without a value of the reference the comprehension, which may fail, is not looked at.
  if (a.kind === "ref" && b.kind === "comprehension") return false;
  if (a.kind === "comprehension" && b.kind === "ref") return true;
  return isKnown(b, bound) && !isKnown(a, bound);
}

/** `source` can be computed; `target` is matched against it. */
function generatePair(g: Generator, source: Term, target: Term, bound: Bound, next: Step): Step {
  if (source.kind === "ref") {
    const before = new Set(bound);
    const reference = generateReference(g, source, bound);
    if (reference.single && reference.isDocument && target.kind === "comprehension") {
      // As OPA: what is compared with a base document is evaluated, whatever its type.
      const other = generateEval(g, target, bound);
      return generateTest(reference.eval, (frame, value) => isEqual(other(frame), value), next);
    }
    if (!reference.single) {
      if (target.kind === "comprehension") {
        const isFixed = termVars(target, new Set()).isDisjointFrom(bound.difference(before));
        return eachEqual(g, reference, target, generateEval(g, target, bound), isFixed, next);
      }
      if (target.kind === "ref" && !isKnown(target, bound)) {
        const slot = g.spare();
        const other = generateReference(g, target, bound);
        const compare = other.each((frame, value) =>
          equalValues(frame.slots[slot] as never, value) ? next(frame) : false
        );
        return reference.each((frame, value) => {
          frame.slots[slot] = value;
          return compare(frame);
        });
      }
      const match = generateMatch(g, target, bound);
      return reference.each((frame, value) => match(frame, value) ? next(frame) : false);
    }
    return generateKnown(g, reference.eval, target, bound, next);
  }
  return generateKnown(g, generateEval(g, source, bound), target, bound, next);
}

/** Goes on for each value of the reference that equals `target`, which is computed for the first one if it is `fixed`. */
function eachEqual(
  g: Generator,
  reference: Reference,
  target: Term,
  other: Eval,
  isFixed: boolean,
  next: Step,
): Step {
  const slot = g.spare();
  const each = reference.each((frame, value) => {
    if (!reference.isDocument && !mayEqual(target, value)) return false;
    const known = isFixed ? frame.slots[slot] as Value | undefined : undefined;
    const against = known === undefined ? other(frame) : known;
    frame.slots[slot] = against;
    return isEqual(against, value) ? next(frame) : false;
  });
  return (frame) => {
    frame.slots[slot] = undefined;
    return each(frame);
  };
}

function generateKnown(g: Generator, evaluate: Eval, target: Term, bound: Bound, next: Step): Step {
  if (target.kind === "ref" && !isKnown(target, bound)) {
    const other = generateReference(g, target, bound);
    const slot = g.spare();
    const each = other.each((frame, value) => equalValues(frame.slots[slot] as never, value) ? next(frame) : false);
    return (frame) => {
      const value = evaluate(frame);
      if (value === undefined) return false;
      frame.slots[slot] = value;
      return each(frame);
    };
  }
  if (target.kind === "var" && !bound.has(target.name)) {
    const slot = g.slot(target.name);
    return (frame) => {
      const value = evaluate(frame);
      if (value === undefined) return false;
      frame.slots[slot] = value;
      return next(frame);
    };
  }
  return generateTest(evaluate, generateMatch(g, target, bound), next);
}

function generateTest(evaluate: Eval, match: Match, next: Step): Step {
  return (frame) => {
    const value = evaluate(frame);
    return value !== undefined && match(frame, value) ? next(frame) : false;
  };
}

function isEqual(a: Value | undefined, b: Value): boolean {
  return a !== undefined && equalValues(a, b);
}
