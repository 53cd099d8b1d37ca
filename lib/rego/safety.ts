// SPDX-License-Identifier: Apache-2.0
/** Puts the expressions of a body into an order in which every variable is known before it is needed. */

import type { Body, Expr, Rule, Term } from "./ast.ts";
import { type CompileContext, isGenerated, writtenName } from "./compile_context.ts";
import type { RegoLocation } from "./limits.ts";
import { createOutputs, type Names } from "./outputs.ts";
import { bodyVars, eachSubterm, eachTerm, exprVars, mapComprehensions, mapExpr, termVars } from "./term_walk.ts";

const SHALLOW = { skipClosures: true };

export interface Safety {
  /** Reorders the bodies of a rule and its else chain, and reports variables that stay unknown. */
  rule(rule: Rule): Rule;
  query(body: Body): Body;
}

export function createSafety(context: CompileContext): Safety {
  const outputs = createOutputs(context.arity);

  /** The variables of an expression that count for its own body: those of operands without braces too. */
  function visibleVars(expr: Expr): Set<string> {
    const vars = exprVars(expr, new Set(), SHALLOW);
    const { what } = expr;
    const promote = (body: Body) => outputs.implicitVars(body).forEach((name) => vars.add(name));
    if (what.kind === "not" && !what.explicit) promote(what.body);
    if ((what.kind === "and" || what.kind === "or") && !what.explicitLeft) promote(what.left);
    if ((what.kind === "and" || what.kind === "or") && !what.explicitRight) promote(what.right);
    return vars;
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
        const made = outputs.of(expr, safe);
        const closed = closures.get(expr)!;
        const left = unsafe.get(expr)!;
        if (closed.size > 0) {
          // As OPA: what gives exactly the variables that it closes over has no place, wherever else they are bound.
          if (closed.size === made.size && closed.isSubsetOf(made)) continue;
          for (const name of closed) left.add(name);
        }
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
    return orderInside(ordered, visible, globals, missing);
  }

  /** Closures may use what the expressions before theirs have made known. */
  function orderInside(
    body: Body,
    visible: Map<Expr, Set<string>>,
    globals: Names,
    missing: Map<string, Expr>,
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
          const needed = termVars(comprehension.value, new Set());
          if (comprehension.key) termVars(comprehension.key, needed);
          const available = new Set(known);
          for (const inside of comprehension.body) for (const name of visibleVars(inside)) available.add(name);
          for (const name of needed) if (!available.has(name) && !missing.has(name)) missing.set(name, expr);
          return { ...comprehension, body: inner(comprehension.body) };
        }), inner);
    });
  }

  function report(missing: Map<string, Expr>): void {
    for (const [name, { loc }] of missing) {
      const message = isGenerated(name) ? "expression is unsafe" : `var ${writtenName(name)} is unsafe`;
      context.report("rego_unsafe_var_error", message, loc);
    }
  }

  /** The variables of a part of the head that the body does not bind, each at its own place. */
  function reportUnknown(term: Term, known: Names, headLoc: RegoLocation): void {
    for (const name of termVars(term, new Set())) {
      if (known.has(name)) continue;
      let place = headLoc;
      eachSubterm(term, (part) => {
        if (part.kind === "var" && part.name === name) place = part.loc;
      });
      context.report("rego_unsafe_var_error", `var ${writtenName(name)} is unsafe`, place);
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
      for (const term of [...rule.head.path, rule.head.member, rule.head.value]) {
        if (term) reportUnknown(term, known, rule.head.loc);
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

/** Every variable inside the closures of an expression. */
function closureVars(expr: Expr): Set<string> {
  const vars = new Set<string>();
  eachTerm(expr, (term) => eachSubterm(term, () => {}, (closure) => termVars(closure, vars)), (body) => {
    bodyVars(body, vars);
  });
  return vars;
}
