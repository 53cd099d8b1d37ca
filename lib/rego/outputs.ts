// SPDX-License-Identifier: Apache-2.0
/** Which variables an expression makes known when those it depends on are. */

import type { Body, Expr, Term } from "./ast.ts";
import { exprVars, termVars } from "./term_walk.ts";
import { isRefSafe, unifiedVars } from "./unify_safety.ts";

const SHALLOW = { skipClosures: true };
const ARGUMENT = { skipClosures: true, skipSets: true, skipObjectKeys: true, skipRefHeads: true };

export type Names = ReadonlySet<string>;

/** An expression that equates two terms. */
export type Equation = Expr & { what: { kind: "call"; args: readonly [Term, Term]; assignment?: boolean } };

export interface Outputs {
  of(expr: Expr, safe: Names): Set<string>;
  /** What a body makes known when its expressions are taken in the order in which they stand. */
  ofBody(body: Body, safe: Names): Set<string>;
  /** What an expression without braces binds and uses itself does not count for the body it stands in. */
  implicitVars(body: Body): Set<string>;
}

/** `arity` is the number of parameters of a builtin or function, -1 when there is none of the name. */
export function createOutputs(arity: (operator: readonly string[]) => number): Outputs {
  function outputsOf(expr: Expr, safe: Names): Set<string> {
    const { what } = expr;
    if (expr.negated) return new Set();
    for (const { value } of expr.withs) if (!withVars(value).isSubsetOf(safe)) return new Set();
    switch (what.kind) {
      case "term":
        return refOutputs([what.term], safe);
      case "every":
        return refOutputs([what.domain], safe);
      case "call":
        return isEquation(expr) ? outputsOfEquation(expr, safe) : outputsOfCall(what, safe);
      default:
        return new Set();
    }
  }

  function outputsOfCall(what: Expr["what"] & { kind: "call" }, safe: Names): Set<string> {
    const count = arity(what.operator);
    if (count < 0) return new Set();
    const result = refOutputs(what.args, safe);
    if (what.args.length <= count) return result;
    const needed = new Set<string>();
    for (const arg of what.args.slice(0, count)) termVars(arg, needed, ARGUMENT);
    if (!needed.isSubsetOf(result.union(safe))) return new Set();
    for (const arg of what.args.slice(count)) termVars(arg, result, ARGUMENT);
    return result;
  }

  function implicitVars(body: Body): Set<string> {
    const occurrences = new Map<string, number>();
    for (const expr of body) {
      for (const name of exprVars(expr, new Set(), SHALLOW)) occurrences.set(name, (occurrences.get(name) ?? 0) + 1);
    }
    if (body.length === 1) return new Set(occurrences.keys());
    const safe = new Set(occurrences.keys());
    const equations = body.filter(isEquation);
    for (const { what } of equations) {
      for (const side of what.args) if (side.kind === "var") safe.delete(side.name);
    }
    const bound = new Set<string>();
    for (let before = -1; before !== bound.size;) {
      before = bound.size;
      for (const expr of equations) {
        for (const name of outputsOfEquation(expr, safe)) {
          bound.add(name);
          safe.add(name);
        }
      }
    }
    for (const { what } of body) {
      if (what.kind !== "call" || what.operator[0] === "eq") continue;
      const count = arity(what.operator);
      if (count < 0) continue;
      for (const extra of what.args.slice(count)) termVars(extra, bound, ARGUMENT);
    }
    return new Set([...occurrences].filter(([name, count]) => !bound.has(name) || count === 1).map(([name]) => name));
  }

  return {
    of: outputsOf,
    ofBody(body, safe) {
      const made = new Set(safe);
      for (const expr of body) for (const name of outputsOf(expr, made)) made.add(name);
      return made.difference(safe);
    },
    implicitVars,
  };
}

function isEquation(expr: Expr): expr is Equation {
  return expr.what.kind === "call" && expr.what.operator[0] === "eq" && expr.what.args.length === 2;
}

/** As OPA: of a reference, what it begins with does not count. */
function withVars(value: Term): Set<string> {
  const vars = new Set<string>();
  if (value.kind !== "ref") return termVars(value, vars, SHALLOW);
  for (const part of value.path) termVars(part, vars, SHALLOW);
  return vars;
}

function outputsOfEquation({ what }: Equation, safe: Names): Set<string> {
  const [left, right] = what.args;
  const known = refOutputs(what.args, safe).union(safe);
  // The left side of := only receives: nothing becomes known backwards through it.
  if (what.assignment) { for (const name of termVars(left, new Set())) known.delete(name); }
  return known.union(unifiedVars(known, left, right)).difference(safe);
}

/** The variables in the paths of references whose beginning is known: they are made by looking through it. */
function refOutputs(terms: readonly Term[], safe: Names): Set<string> {
  const made = new Set<string>();
  for (const term of terms) collectRefOutputs(term, safe, made);
  return made;
}

function collectRefOutputs(term: Term, safe: Names, made: Set<string>): void {
  switch (term.kind) {
    case "ref":
      if (!isRefSafe(term, safe)) return;
      for (const part of term.path) termVars(part, made, { skipRefHeads: true });
      for (const part of term.path) collectRefOutputs(part, safe, made);
      return;
    case "array":
    case "set":
      for (const item of term.items) collectRefOutputs(item, safe, made);
      return;
    case "call":
      for (const arg of term.args) collectRefOutputs(arg, safe, made);
      return;
    case "object":
      for (const [key, value] of term.pairs) {
        collectRefOutputs(key, safe, made);
        collectRefOutputs(value, safe, made);
      }
      return;
    default:
      return;
  }
}
