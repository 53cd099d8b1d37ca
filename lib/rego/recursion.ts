// SPDX-License-Identifier: Apache-2.0
/** Refuses rules that may depend on themselves. */

import type { Body, Expr, Rule, Term } from "./ast.ts";
import type { CompileContext } from "./compile_context.ts";
import { knownBefore, type KnownValues, possiblePaths } from "./constant_bindings.ts";
import { pathName } from "./rule_names.ts";
import type { RuleNode, RuleTree } from "./rule_tree.ts";
import { eachSubterm, eachTerm, rootOf } from "./term_walk.ts";
import { keyOf, type Value } from "./values.ts";

/** An order of the rules in which each comes after those it needs. */
export interface RuleOrder {
  readonly nodes: readonly RuleNode[];
  /** What the rules at a path may look at. */
  readonly targets: ReadonlyMap<RuleNode, ReadonlySet<RuleNode>>;
}

export function checkRecursion(context: CompileContext, tree: RuleTree): RuleOrder {
  const edges = new Map<RuleNode, ReadonlySet<RuleNode>>();
  for (const node of tree.nodes) {
    const targets = new Set<RuleNode>();
    for (const rule of rulesOf(node)) ruleTargets({ tree, nodes: targets }, rule);
    edges.set(node, targets);
  }
  const nodes: RuleNode[] = [];
  const state = new Uint8Array(tree.nodes.length);
  const visit = (start: RuleNode): void => {
    // An explicit stack: a long chain of rules must not overflow ours.
    const stack: { readonly node: RuleNode; readonly rest: Iterator<RuleNode> }[] = [];
    const push = (node: RuleNode) => {
      state[node.index] = 1;
      stack.push({ node, rest: edges.get(node)!.values() });
    };
    push(start);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const { done, value: next } = top.rest.next();
      if (done) {
        state[top.node.index] = 2;
        nodes.push(top.node);
        stack.pop();
      } else if (state[next.index] === 1) {
        const from = stack.findIndex(({ node }) => node === next);
        const names = [...stack.slice(from).map(({ node }) => node), next].map(({ path }) => pathName(path));
        const message = `rule ${names[0]} is recursive: ${names.join(" -> ")}`;
        context.report("rego_recursion_error", message, rulesOf(next)[0]?.head.loc);
      } else if (state[next.index] === 0) push(next);
    }
  };
  for (const node of tree.nodes) if (state[node.index] === 0) visit(node);
  return { nodes, targets: edges };
}

function rulesOf(node: RuleNode): Rule[] {
  const rules = node.rules.map(({ rule }) => rule);
  return node.fallback ? [...rules, node.fallback] : rules;
}

/** Collects what rules may look at. */
interface Targets {
  readonly tree: RuleTree;
  readonly nodes: Set<RuleNode>;
}

function ruleTargets(to: Targets, { head, body, otherwise }: Rule): void {
  const before = knownBefore(body);
  body.forEach((expr, i) => exprTargets(to, expr, before[i] as KnownValues));
  // The head is evaluated at the end of the body.
  for (const term of [...(head.args ?? []), ...head.path, head.member, head.value]) {
    if (term) termTargets(to, term, before.at(-1) as KnownValues);
  }
  if (otherwise) ruleTargets(to, otherwise);
}

function exprTargets(to: Targets, expr: Expr, known: KnownValues): void {
  const functions = expr.withs.map(({ replacement }) => replacement);
  if (expr.what.kind === "call") functions.push(expr.what.operator);
  for (const name of functions) if (name?.[0] === "data") reach(to, name.slice(1));
  // As OPA: what is replaced is looked at, too.
  for (const { target } of expr.withs) termTargets(to, target, known);
  const onBody = (body: Body) => body.forEach((inner) => exprTargets(to, inner, known));
  eachTerm(expr, (term) => termTargets(to, term, known), onBody);
}

function termTargets(to: Targets, term: Term, known: KnownValues): void {
  eachSubterm(term, (part) => {
    if (part.kind !== "ref" || rootOf(part) !== "data") return;
    for (const path of possiblePaths(part.path, known)) reach(to, path);
  }, ({ key, value, body }) => {
    if (key) termTargets(to, key, known);
    termTargets(to, value, known);
    for (const inner of body) exprTargets(to, inner, known);
  });
}

/** Every path with rules that a reference may look at: where no key is known it may be any. */
function reach({ tree, nodes }: Targets, path: readonly (Value | undefined)[]): void {
  const visit = (node: RuleNode, index: number): void => {
    if (node.kind !== undefined) nodes.add(node);
    const key = path[index];
    if (key === undefined) {
      for (const child of node.children.values()) visit(child, index + 1);
      return;
    }
    const child = node.children.get(keyOf(key));
    if (child) visit(child, index + 1);
  };
  visit(tree.root, 0);
}
