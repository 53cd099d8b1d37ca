// SPDX-License-Identifier: Apache-2.0
/** Finds the variables that a body or a pattern declares. */

import type { Body, ExprKind, Term, VarTerm } from "./ast.ts";
import { termVars } from "./term_walk.ts";

/** Names that `some`, `:=` and `some … in` of this body declare; bodies inside it have their own. */
export function declaredIn(body: Body): Set<string> {
  const names = new Set<string>();
  for (const { what } of body) {
    if (what.kind === "some") { for (const { name } of what.vars) names.add(name); }
    else if (what.kind === "someIn") { for (const { name } of membershipVars(what)) names.add(name); }
    else if (what.kind === "call" && what.operator[0] === "assign") {
      const target = what.args[0];
      if (target) patternVars(target, (v) => names.add(v.name));
    }
  }
  return names;
}

/** What `some … in` declares: as in OPA not what stands anywhere in the domain, which then means one variable. */
export function membershipVars({ key, value, domain }: ExprKind & { kind: "someIn" }): VarTerm[] {
  const inDomain = termVars(domain, new Set());
  const vars: VarTerm[] = [];
  for (const pattern of [key, value]) if (pattern) patternVars(pattern, (v) => inDomain.has(v.name) || vars.push(v));
  return vars;
}

/** Visits the variables of a pattern: arrays and the values of objects are looked into. */
export function patternVars(term: Term, visit: (term: VarTerm) => void): void {
  if (term.kind === "var") visit(term);
  else if (term.kind === "array") { for (const item of term.items) patternVars(item, visit); }
  else if (term.kind === "object") { for (const [, value] of term.pairs) patternVars(value, visit); }
}
