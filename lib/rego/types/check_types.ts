// SPDX-License-Identifier: Apache-2.0
/** Finds expressions that can never hold because the types in them do not go together, rule by rule. */

import type { Body, Rule, Term } from "../ast.ts";
import { anyType, type Type } from "../builtins/builtin.ts";
import type { CompileContext } from "../compile_context.ts";
import type { RuleOrder } from "../recursion.ts";
import { pathName } from "../rule_names.ts";
import type { PlacedRule, RuleNode, RuleTree } from "../rule_tree.ts";
import { termVars } from "../term_walk.ts";
import { keyOf, type Value } from "../values.ts";
import { type BodyChecker, createBodyChecker } from "./check_body.ts";
import { createDocuments, type Documents } from "./documents.ts";
import { createScope, type Scope } from "./environment.ts";
import { createLattice, type Lattice } from "./lattice.ts";
import type { Problem } from "./references.ts";

/** What is known about the types of a policy. */
export interface TypeChecker {
  /** Checks a query against the rules. */
  query(context: CompileContext, body: Body): void;
}

/**
 * Checks every rule, those first that others need, and reports what is wrong to `context`.
 *
 * As OPA's checker it refuses only what can be told without running the policy: input and documents may hold anything.
 */
export function checkTypes(context: CompileContext, tree: RuleTree, order: RuleOrder): TypeChecker {
  const lattice = createLattice();
  const documents = createDocuments(lattice);
  const dependents = dependentsIn(tree, order);
  const checkerFor = (to: CompileContext): BodyChecker =>
    createBodyChecker({
      lattice,
      builtins: to.builtins,
      dependents,
      report: ({ message, loc }: Problem) => to.report("rego_type_error", message, loc),
    });
  const checker = checkerFor(context);
  for (const node of order.nodes) {
    for (const placed of placedRules(node)) addRule(lattice, checker, documents, node, placed);
  }
  return { query: (to, body) => void checkerFor(to).check(body, documents, createScope()) };
}

/** Every rule of the path, and the rest of its chain. */
function* placedRules(node: RuleNode): Generator<PlacedRule> {
  const all = node.fallback ? [...node.rules, { rule: node.fallback, tail: [] }] : node.rules;
  for (const { rule, tail } of all) {
    for (let next: Rule | undefined = rule; next; next = next.otherwise) yield { rule: next, tail };
  }
}

function addRule(
  lattice: Lattice,
  checker: BodyChecker,
  documents: Documents,
  node: RuleNode,
  { rule, tail }: PlacedRule,
): void {
  const { head, body } = rule;
  const scope = createScope();
  if (!checker.check(body, documents, scope)) {
    // What uses this rule is not to blame.
    documents.set("data", node.path, anyType);
    return;
  }
  const typeOf = (term: Term) => checker.typeOf(term, documents, scope);
  if (head.args) {
    documents.addSignature(node.path, { args: argumentTypes(head.args, scope, typeOf), result: typeOf(head.value) });
    return;
  }
  let type = head.member ? setOf(typeOf(head.member)) : typeOf(head.value);
  for (const part of tail.toReversed()) {
    const key = typeOf(part);
    type = type && key && lattice.bounded({ kind: "object", members: new Map(), rest: { key, value: type } });
  }
  if (type) documents.add(node.path, type);
}

function setOf(member: Type | undefined): Type | undefined {
  return member && { kind: "set", of: member };
}

/** Parameters of which the body says nothing take anything. */
function argumentTypes(
  args: readonly Term[],
  scope: Scope,
  typeOf: (term: Term) => Type | undefined,
): readonly Type[] {
  return args.map((arg) => {
    for (const name of termVars(arg, new Set())) if (scope.get(name) === undefined) scope.set(name, anyType);
    return typeOf(arg) ?? anyType;
  });
}

/** Finds the rules that may change when others are replaced; each question is answered once. */
function dependentsIn(tree: RuleTree, order: RuleOrder): (path: readonly Value[]) => Iterable<readonly Value[]> {
  const known = new Map<string, readonly (readonly Value[])[]>();
  let users: Map<RuleNode, RuleNode[]> | undefined;

  function find(path: readonly Value[]): readonly (readonly Value[])[] {
    let start: RuleNode | undefined = tree.root;
    for (const key of path) start = start?.children.get(keyOf(key));
    if (start === undefined) return [];
    users ??= usersOf(order);
    const found = new Set<RuleNode>();
    const open = [...rulesBelow(start)];
    const replaced = new Set(open);
    for (let node = open.pop(); node; node = open.pop()) {
      if (found.has(node)) continue;
      found.add(node);
      open.push(...users.get(node) ?? []);
    }
    const isFunction = start.kind === "function";
    return [...found].filter((node) => !(isFunction && replaced.has(node))).map((node) => node.path);
  }

  return (path) => {
    const name = pathName(path);
    let paths = known.get(name);
    if (paths === undefined) known.set(name, paths = find(path));
    return paths;
  };
}

function* rulesBelow(node: RuleNode): Generator<RuleNode> {
  if (node.kind !== undefined) yield node;
  for (const child of node.children.values()) yield* rulesBelow(child);
}

function usersOf({ targets }: RuleOrder): Map<RuleNode, RuleNode[]> {
  const users = new Map<RuleNode, RuleNode[]>();
  for (const [node, used] of targets) {
    for (const each of used) {
      const known = users.get(each);
      if (known) known.push(node);
      else users.set(each, [node]);
    }
  }
  return users;
}
