// SPDX-License-Identifier: Apache-2.0
/** Puts the expressions of a body into an order in which every variable is known before it is needed. */

import type { Body, Expr, Rule, Term } from "./ast.ts";
import { type CompileContext, isGenerated, writtenName } from "./compile_context.ts";
import { bodyVars, eachSubterm, eachTerm, exprVars, mapComprehensions, mapExpr, termVars } from "./term_walk.ts";
import { isRefSafe, unifiedVars } from "./unify_safety.ts";

const SHALLOW = { skipClosures: true };
const ARGUMENT = { skipClosures: true, skipSets: true, skipObjectKeys: true, skipRefHeads: true };

type Names = ReadonlySet<string>;

export interface Safety {
  /** Reorders the bodies of a rule and its else chain, and reports variables that stay unknown. */
  rule(rule: Rule): Rule;
  query(body: Body): Body;
}

export function createSafety(context: CompileContext): Safety {
  /** The variables of an expression that count for its own body: those of operands without braces too. */
  function visibleVars(expr: Expr): Set<string> {
    const vars = exprVars(expr, new Set(), SHALLOW);
    const { what } = expr;
    const promote = (body: Body) => implicitVars(body).forEach((name) => vars.add(name));
    if (what.kind === "not" && !what.explicit) promote(what.body);
    if ((what.kind === "and" || what.kind === "or") && !what.explicitLeft) promote(what.left);
    if ((what.kind === "and" || what.kind === "or") && !what.explicitRight) promote(what.right);
    return vars;
  }

  /** The variables of an operand without braces that it does not bind and use itself. */
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
      const arity = context.arity(what.operator);
      if (arity < 0) continue;
      for (const extra of what.args.slice(arity)) termVars(extra, bound, ARGUMENT);
    }
    return new Set([...occurrences].filter(([name, count]) => !bound.has(name) || count === 1).map(([name]) => name));
  }

  function outputs(expr: Expr, safe: Names): Set<string> {
    const { what } = expr;
    if (expr.negated) return new Set();
    for (const { value } of expr.withs) {
      if (!termVars(value, new Set(), SHALLOW).isSubsetOf(safe)) return new Set();
    }
    switch (what.kind) {
      case "term":
        return refOutputs([what.term], safe);
      case "every":
        return refOutputs([what.domain], safe);
      case "call":
        return isEquation(expr) ? outputsOfEquation(expr, safe) : outputsOfCall(expr, what, safe);
      default:
        return new Set();
    }
  }

  function outputsOfCall(expr: Expr, what: Expr["what"] & { kind: "call" }, safe: Names): Set<string> {
    const arity = context.arity(what.operator);
    if (arity < 0 || expr.negated) return new Set();
    const result = refOutputs(what.args, safe);
    if (what.args.length <= arity) return result;
    const needed = new Set<string>();
    for (const arg of what.args.slice(0, arity)) termVars(arg, needed, ARGUMENT);
    if (!needed.isSubsetOf(result.union(safe))) return new Set();
    for (const arg of what.args.slice(arity)) termVars(arg, result, ARGUMENT);
    return result;
  }

  /** An order of `body`, and for each expression that could not be placed what it lacks. */
  function reorder(body: Body, globals: Names, missing: Map<string, Expr>): Body {
    const all = new Set<string>();
    const visible = new Map<Expr, Set<string>>();
    for (const expr of body) {
      const vars = visibleVars(expr);
      visible.set(expr, vars);
      for (const name of vars) all.add(name);
    }
    const safe = all.intersection(globals);
    const start: Names = new Set(safe);
    const unsafe = new Map<Expr, Set<string>>();
    const closures = new Map<Expr, Set<string>>();
    for (const expr of body) {
      unsafe.set(expr, visible.get(expr)!.difference(safe));
      closures.set(expr, closureVars(expr).intersection(all).difference(globals));
    }
    const ordered: Expr[] = [];
    const open = new Set(body);
    for (let before = -1; before !== ordered.length;) {
      before = ordered.length;
      for (const expr of open) {
        const made = outputs(expr, safe);
        const closed = closures.get(expr)!;
        if (closed.size > 0) {
          const lacking = closed.difference(bodyOutputs(ordered, start)).difference(safe);
          if (lacking.size > 0) {
            if (lacking.size === made.size && lacking.isSubsetOf(made)) continue;
            unsafe.set(expr, lacking);
          }
        }
        const left = unsafe.get(expr)!;
        for (const name of [...left]) if (made.has(name) || safe.has(name)) left.delete(name);
        if (left.size > 0) continue;
        ordered.push(expr);
        open.delete(expr);
        for (const name of made) safe.add(name);
      }
    }
    for (const expr of open) for (const name of unsafe.get(expr)!) if (!missing.has(name)) missing.set(name, expr);
    // An expression that closes over what it makes itself never gets a place.
    if (open.size > 0 && missing.size === 0) { for (const expr of open) missing.set("$", expr); }
    return orderInside(ordered, visible, globals, missing, all);
  }

  /** A part of an interpolated string may use the variables around it only. */
  function checkClosed(term: Term & { kind: "comprehension" }, globals: Names, all: Names): void {
    for (const name of bodyVars(term.body, new Set(), SHALLOW)) {
      if (isGenerated(name) || globals.has(name) || all.has(name)) continue;
      context.report("rego_compile_error", `var ${writtenName(name)} is undeclared`, term.loc);
    }
  }

  /** Closures may use what the expressions before theirs have made known. */
  function orderInside(
    body: Body,
    visible: Map<Expr, Set<string>>,
    globals: Names,
    missing: Map<string, Expr>,
    all: Names,
  ): Body {
    const known = new Set(globals);
    return body.map((expr, i) => {
      const previous = body[i - 1];
      if (previous) { for (const name of visible.get(previous)!) known.add(name); }
      if (expr.what.kind === "every") {
        if (expr.what.key) known.add(expr.what.key.name);
        known.add(expr.what.value.name);
      }
      const inner = (inside: Body) => reorder(inside, known, missing);
      return mapExpr(expr, (term) =>
        mapComprehensions(term, (comprehension) => {
          if (comprehension.closed) checkClosed(comprehension, globals, all);
          const needed = termVars(comprehension.value, new Set());
          if (comprehension.key) termVars(comprehension.key, needed);
          const available = new Set(known);
          for (const inside of comprehension.body) for (const name of visibleVars(inside)) available.add(name);
          for (const name of needed) if (!available.has(name) && !missing.has(name)) missing.set(name, expr);
          return { ...comprehension, body: inner(comprehension.body) };
        }), inner);
    });
  }

  function bodyOutputs(body: Body, safe: Names): Set<string> {
    const made = new Set(safe);
    for (const expr of body) for (const name of outputs(expr, made)) made.add(name);
    return made.difference(safe);
  }

  function report(missing: Map<string, Expr>): void {
    for (const [name, { loc }] of missing) {
      const message = isGenerated(name) ? "expression is unsafe" : `var ${writtenName(name)} is unsafe`;
      context.report("rego_unsafe_var_error", message, loc);
    }
  }

  function rule(rule: Rule): Rule {
    const globals = new Set<string>();
    for (const arg of rule.head.args ?? []) termVars(arg, globals);
    const missing = new Map<string, Expr>();
    const body = reorder(rule.body, globals, missing);
    report(missing);
    if (missing.size === 0) {
      const known = new Set(globals);
      for (const expr of rule.body) for (const name of visibleVars(expr)) known.add(name);
      const needed = new Set<string>();
      for (const term of [...rule.head.path, rule.head.member, rule.head.value]) if (term) termVars(term, needed);
      for (const name of needed) {
        if (!known.has(name)) {
          context.report("rego_unsafe_var_error", `var ${writtenName(name)} is unsafe`, rule.head.loc);
        }
      }
    }
    return { ...rule, body, otherwise: rule.otherwise && safety.rule(rule.otherwise) };
  }

  const safety: Safety = {
    rule,
    query(body) {
      const missing = new Map<string, Expr>();
      const ordered = reorder(body, new Set(), missing);
      report(missing);
      return ordered;
    },
  };
  return safety;
}

type Equation = Expr & { what: { kind: "call"; args: readonly [Term, Term]; assignment?: boolean } };

function isEquation(expr: Expr): expr is Equation {
  return expr.what.kind === "call" && expr.what.operator[0] === "eq" && expr.what.args.length === 2;
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

/** Every variable inside the closures of an expression. */
function closureVars(expr: Expr): Set<string> {
  const vars = new Set<string>();
  eachTerm(expr, (term) => eachSubterm(term, () => {}, (closure) => termVars(closure, vars)), (body) => {
    bodyVars(body, vars);
  });
  return vars;
}
