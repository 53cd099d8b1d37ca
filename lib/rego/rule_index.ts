// SPDX-License-Identifier: Apache-2.0
/** Finds the rules of one path that can hold, by a part of the input or an argument that they compare with constants. */

import type { Rule, Term } from "./ast.ts";
import { constantOf } from "./codegen.ts";
import { member } from "./lookup.ts";
import type { Scope } from "./runtime.ts";
import { type Key, keyOf, type Value } from "./values.ts";

/** Fewer rules than this are tried faster than looked up. */
const MIN_RULES = 4;

/** The positions of the rules worth trying, in their order. */
export type RuleIndex = (scope: Scope, args: readonly Value[]) => readonly number[];

/** What rules compare with constants. */
type Subject = { readonly path: readonly Value[] } | { readonly arg: number };

/** For each subject, by its text, the constant that a rule demands. */
type Demands = Map<string, { readonly subject: Subject; readonly key: Key }>;

/** Says which of `rules` to try: all of them without an index, for a tracer, and where replaced functions might compare otherwise. */
export function chooseRules(rules: readonly Rule[], isTraced: boolean): RuleIndex {
  const all = rules.map((_, i) => i);
  const index = isTraced ? undefined : indexRules(rules);
  if (index === undefined) return () => all;
  return (scope, args) => scope.mocks === undefined ? index(scope, args) : all;
}

/** An index over the subject that most rules demand something of; undefined when it would not pay. */
function indexRules(rules: readonly Rule[]): RuleIndex | undefined {
  if (rules.length < MIN_RULES) return undefined;
  const demands = rules.map(demandsOf);
  const counts = new Map<string, number>();
  for (const each of demands) for (const name of each.keys()) counts.set(name, (counts.get(name) ?? 0) + 1);
  const [best, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
  if (count < MIN_RULES) return undefined;
  const subject = demands.find((each) => each.has(best))!.get(best)!.subject;
  const others = positions(demands, (each) => !each.has(best));
  const byKey = new Map<Key, readonly number[]>();
  for (const each of demands) {
    const key = each.get(best)?.key;
    if (key === undefined || byKey.has(key)) continue;
    byKey.set(key, positions(demands, (other) => !other.has(best) || other.get(best)!.key === key));
  }
  return (scope, args) => {
    const value = "arg" in subject ? args[subject.arg] : inputAt(scope, subject.path);
    if (value === undefined) return others;
    return byKey.get(keyOf(value)) ?? others;
  };
}

function positions(demands: readonly Demands[], wanted: (demands: Demands) => boolean): number[] {
  return demands.flatMap((each, i) => wanted(each) ? [i] : []);
}

function inputAt(scope: Scope, path: readonly Value[]): Value | undefined {
  let value = scope.input;
  for (const key of path) value = member(value, key);
  return value;
}

/** What must be so for the rule to hold; nothing for a rule with `else`, which holds otherwise. */
function demandsOf(rule: Rule): Demands {
  const demands: Demands = new Map();
  if (rule.otherwise) return demands;
  const subjects = new Map<string, Subject>();
  const demand = (subject: Subject | undefined, term: Term): void => {
    const constant = constantOf(term);
    if (subject === undefined || constant === undefined) return;
    const name = JSON.stringify("arg" in subject ? subject.arg : subject.path);
    if (!demands.has(name)) demands.set(name, { subject, key: keyOf(constant) });
  };
  rule.head.args?.forEach((arg, i) => {
    if (arg.kind === "var" && !subjects.has(arg.name)) subjects.set(arg.name, { arg: i });
    demand({ arg: i }, arg);
  });
  const subjectOf = (term: Term): Subject | undefined => {
    if (term.kind === "var") return subjects.get(term.name);
    if (term.kind !== "ref" || term.head.kind !== "var" || term.head.name !== "input") return undefined;
    const path = term.path.map(constantOf);
    // A path of plain names only: its text must tell paths apart.
    return path.every((part) => typeof part === "string") ? { path } : undefined;
  };
  for (const { what, negated, withs } of rule.body) {
    if (what.kind !== "call" || negated || withs.length > 0 || what.args.length !== 2) continue;
    if (what.operator.join(".") !== "eq") continue;
    const [a, b] = what.args as [Term, Term];
    if (a.kind === "var" && !subjects.has(a.name)) {
      const subject = subjectOf(b);
      if (subject) subjects.set(a.name, subject);
    }
    demand(subjectOf(a), b);
    demand(subjectOf(b), a);
  }
  return demands;
}
