// SPDX-License-Identifier: Apache-2.0
/** Finds the variables that a body or a pattern declares. */

import type { Body, Term, VarTerm } from "./ast.ts";

/** Names that `some`, `:=` and `some … in` of this body declare; bodies inside it have their own. */
export function declaredIn(body: Body): Set<string> {
  const names = new Set<string>();
  for (const { what } of body) {
    if (what.kind === "some") { for (const { name } of what.vars) names.add(name); }
    else if (what.kind === "someIn") {
      for (const term of [what.key, what.value]) if (term) patternVars(term, (v) => names.add(v.name));
    } else if (what.kind === "call" && what.operator[0] === "assign") {
      const target = what.args[0];
      if (target) patternVars(target, (v) => names.add(v.name));
    }
  }
  return names;
}

/** Visits the variables of a pattern: arrays and the values of objects are looked into. */
export function patternVars(term: Term, visit: (term: VarTerm) => void): void {
  if (term.kind === "var") visit(term);
  else if (term.kind === "array") { for (const item of term.items) patternVars(item, visit); }
  else if (term.kind === "object") { for (const [, value] of term.pairs) patternVars(value, visit); }
}
