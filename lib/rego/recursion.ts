// SPDX-License-Identifier: Apache-2.0
/** Refuses rules that may depend on themselves. */

import type { Body, Expr, Rule, Term } from "./ast.ts";
import type { CompileContext } from "./compile_context.ts";
import { pathName } from "./rule_names.ts";
import type { RuleNode, RuleTree } from "./rule_tree.ts";
import { eachSubterm, eachTerm } from "./term_walk.ts";
import { keyOf } from "./values.ts";

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
    for (const rule of rulesOf(node)) ruleTargets(tree, rule, targets);
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

function ruleTargets(tree: RuleTree, rule: Rule, targets: Set<RuleNode>): void {
  const { head, body, otherwise } = rule;
  for (const term of [...(head.args ?? []), ...head.path, head.member, head.value]) {
    if (term) termTargets(tree, term, targets);
  }
  bodyTargets(tree, body, targets);
  if (otherwise) ruleTargets(tree, otherwise, targets);
}

function bodyTargets(tree: RuleTree, body: Body, targets: Set<RuleNode>): void {
  for (const expr of body) exprTargets(tree, expr, targets);
}

function exprTargets(tree: RuleTree, expr: Expr, targets: Set<RuleNode>): void {
  if (expr.what.kind === "call" && expr.what.operator[0] === "data") {
    const path = expr.what.operator.slice(1).map((value): Term => ({ kind: "scalar", value, loc: expr.loc }));
    reach(tree.root, path, 0, targets);
  }
  eachTerm(expr, (term) => termTargets(tree, term, targets), (body) => bodyTargets(tree, body, targets));
}

function termTargets(tree: RuleTree, term: Term, targets: Set<RuleNode>): void {
  eachSubterm(term, (part) => {
    if (part.kind === "ref" && part.head.kind === "var" && part.head.name === "data") {
      reach(tree.root, part.path, 0, targets);
    }
  }, (closure) => {
    if (closure.key) termTargets(tree, closure.key, targets);
    termTargets(tree, closure.value, targets);
    bodyTargets(tree, closure.body, targets);
  });
}

/** Every path with rules that a reference may look at: variables may be any name. */
function reach(node: RuleNode, path: readonly Term[], index: number, targets: Set<RuleNode>): void {
  if (node.kind !== undefined) targets.add(node);
  const part = path[index];
  if (part === undefined || part.kind !== "scalar") {
    for (const child of node.children.values()) reach(child, path, index + 1, targets);
    return;
  }
  const child = node.children.get(keyOf(part.value));
  if (child) reach(child, path, index + 1, targets);
}
