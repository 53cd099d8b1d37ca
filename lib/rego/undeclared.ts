// SPDX-License-Identifier: Apache-2.0
/** Checks that parts of interpolated strings and arguments of print() use variables only that are there without them. */

import type { Body, Expr, Rule, Term } from "./ast.ts";
import { type CompileContext, isGenerated, writtenName } from "./compile_context.ts";
import { createOutputs, type Names } from "./outputs.ts";
import { bodyVars, eachSubterm, eachTerm, termVars } from "./term_walk.ts";

const SHALLOW = { skipClosures: true };

export interface UndeclaredChecker {
  /** Of a rule as it is written, names resolved, calls not yet taken apart. */
  rule(rule: Rule): void;
  body(body: Body): void;
}

type Template = Term & { kind: "template" };

/** As OPA, which looks at expressions in the order in which they are written: reordering comes later. */
export function createUndeclaredChecker(context: CompileContext): UndeclaredChecker {
  const outputs = createOutputs(context.arity);

  function report(term: Term, safe: Names): void {
    for (const name of [...termVars(term, new Set(), SHALLOW)].sort()) {
      if (safe.has(name)) continue;
      const hint = "bind the variable in an expression before";
      context.report("rego_compile_error", `var ${writtenName(name)} is undeclared`, term.loc, hint);
    }
  }

  function checkTemplate({ parts }: Template, safe: Names): void {
    for (const part of parts) {
      if (typeof part === "string") continue;
      const { what } = part;
      // A variable alone brings nothing: the safety check looks after it.
      if (what.kind === "term" && what.term.kind !== "var") report(what.term, safe);
      if (what.kind === "call") { for (const arg of what.args) report(arg, safe); }
      checkExpr(part, safe);
    }
  }

  function checkTerm(term: Term, safe: Names): void {
    eachSubterm(term, (part) => {
      if (part.kind === "template") checkTemplate(part, safe);
    }, (closure) => {
      const inside = checkBody(closure.body, safe);
      for (const head of [closure.key, closure.value]) {
        // Deeper in the head only what is known around the comprehension counts.
        if (head) checkTerm(head, head.kind === "template" ? inside : safe);
      }
    });
  }

  function checkExpr(expr: Expr, safe: Names): void {
    const { what } = expr;
    if (what.kind === "every") {
      const inside = new Set(safe).add(what.value.name);
      if (what.key) inside.add(what.key.name);
      eachTerm(expr, (term) => checkTerm(term, safe), (body) => void checkBody(body, inside));
      return;
    }
    eachTerm(expr, (term) => checkTerm(term, safe), (body) => {
      body.forEach((inner, i) => {
        checkPrint(inner, body.slice(0, i), safe);
        checkExpr(inner, safe);
      });
    });
  }

  function checkPrint({ what }: Expr, before: Body, safe: Names): void {
    if (!context.printing || what.kind !== "call" || what.operator.join(".") !== "print") return;
    const known = outputs.ofBody(before, safe).union(safe);
    for (const name of bodyVars(before, new Set())) if (name.includes("#") || isGenerated(name)) known.add(name);
    for (const arg of what.args) report(arg, known);
  }

  /** What the body knows at its end. */
  function checkBody(body: Body, outer: Names): Names {
    const safe = outputs.ofBody(body, outer).union(outer);
    body.forEach((expr, i) => {
      checkPrint(expr, body.slice(0, i), outer);
      checkExpr(expr, safe);
    });
    return safe;
  }

  function rule({ head, body, otherwise }: Rule): void {
    const args = new Set<string>();
    for (const arg of head.args ?? []) termVars(arg, args);
    const safe = checkBody(body, args);
    for (const term of [...(head.args ?? []), ...head.path, head.member, head.value]) if (term) checkTerm(term, safe);
    if (otherwise) rule(otherwise);
  }

  return {
    rule,
    body: (body) => void checkBody(body, new Set()),
  };
}
