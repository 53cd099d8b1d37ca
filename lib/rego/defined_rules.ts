// SPDX-License-Identifier: Apache-2.0
/** Finds the rules that OPA takes for always defined: an interpolated string uses them as they are. */

import type { Rule, Term } from "./ast.ts";
import { pathName } from "./rule_names.ts";
import type { RuleTree } from "./rule_tree.ts";

/** The paths (`data.a.b`) of such rules; heads and bodies must be as they were written. */
export function definedRules(tree: RuleTree): ReadonlySet<string> {
  const defined = new Set<string>();
  for (const { kind, path, rules, fallback } of tree.nodes) {
    if (kind !== "value" && kind !== "set") continue;
    const isDefined = kind === "set" || fallback !== undefined ||
      (rules.length === 1 && isConstant((rules[0] as { rule: Rule }).rule));
    if (isDefined) defined.add(pathName(path));
  }
  return defined;
}

/** As OPA, for which a collection with constant references in it is a constant, too. */
function isConstant({ head, body }: Rule): boolean {
  const only = body.length === 1 ? body[0]?.what : undefined;
  if (only?.kind !== "term" || only.term.kind !== "scalar" || only.term.value !== true) return false;
  return head.value.kind !== "ref" && head.value.kind !== "call" && isGround(head.value);
}

function isGround(term: Term): boolean {
  switch (term.kind) {
    case "scalar":
      return true;
    case "array":
    case "set":
      return term.items.every(isGround);
    case "object":
      return term.pairs.every(([key, value]) => isGround(key) && isGround(value));
    case "ref":
      return term.path.every(isGround);
    case "call":
      return term.args.every(isGround);
    default:
      return false;
  }
}
