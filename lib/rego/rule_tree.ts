// SPDX-License-Identifier: Apache-2.0
/** Sorts the rules of all modules into a tree by what they define, and finds those that contradict each other. */

import type { Rule, Term } from "./ast.ts";
import type { CompileContext } from "./compile_context.ts";
import type { RegoLocation } from "./limits.ts";
import { pathName } from "./rule_names.ts";
import { type Key, keyOf, type Value } from "./values.ts";

/** What the rules at one path give. */
export type RuleKind = "value" | "set" | "object" | "function";

/** A rule in its package; `tail` is what of its path is not constant, and what follows. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly tail: readonly Term[];
}

/** One path below `data` that rules define, or that leads to such paths. */
export interface RuleNode {
  /** Position in caches. */
  readonly index: number;
  /** Below `data`. */
  readonly path: readonly Value[];
  /** `data.a.b`, and those of the paths above it: what a `with` may have replaced. */
  readonly names: readonly string[];
  readonly children: Map<Key, RuleNode>;
  /** Undefined for a path that no rule defines, such as a package. */
  kind: RuleKind | undefined;
  readonly rules: PlacedRule[];
  fallback: Rule | undefined;
  /** A module has this package. */
  isPackage: RegoLocation | undefined;
}

export interface RuleTree {
  readonly root: RuleNode;
  readonly nodes: readonly RuleNode[];
}

/** A rule with the package it stands in. */
export interface PackagedRule {
  readonly package: readonly string[];
  readonly rule: Rule;
}

export function buildRuleTree(
  context: CompileContext,
  packages: readonly { readonly package: readonly string[]; readonly loc: RegoLocation }[],
  rules: readonly PackagedRule[],
): RuleTree {
  const nodes: RuleNode[] = [];

  function newNode(parent: RuleNode | undefined, key: Value): RuleNode {
    const path = parent ? [...parent.path, key] : [];
    const node: RuleNode = {
      index: nodes.length,
      path,
      names: [...(parent?.names ?? []), pathName(path)],
      children: new Map(),
      kind: undefined,
      rules: [],
      fallback: undefined,
      isPackage: undefined,
    };
    nodes.push(node);
    parent?.children.set(keyOf(key), node);
    return node;
  }

  const root = newNode(undefined, null);
  const descend = (path: readonly Value[]): RuleNode => {
    let node = root;
    for (const key of path) node = node.children.get(keyOf(key)) ?? newNode(node, key);
    return node;
  };

  for (const { package: path, loc } of packages) descend(path).isPackage ??= loc;
  for (const { package: path, rule } of rules) place(context, descend, path, rule);
  for (const node of nodes) checkChildren(context, node);
  return { root, nodes };
}

function place(
  context: CompileContext,
  descend: (path: readonly Value[]) => RuleNode,
  path: readonly string[],
  rule: Rule,
): void {
  const { head } = rule;
  const constant: Value[] = [...path, head.name.name];
  let i = 0;
  for (; i < head.path.length; i++) {
    const part = head.path[i] as Term;
    if (part.kind !== "scalar") break;
    constant.push(part.value);
  }
  const tail = head.path.slice(i);
  const kind: RuleKind = head.args ? "function" : tail.length > 0 ? "object" : head.member ? "set" : "value";
  if (head.args && tail.length > 0) {
    context.report("rego_compile_error", "the name of a function must be constant", head.loc);
    return;
  }
  const node = descend(constant);
  const name = pathName(node.path);
  if (node.kind !== undefined && node.kind !== kind) {
    context.report("rego_type_error", `conflicting rules ${name} found`, head.loc);
    return;
  }
  node.kind = kind;
  if (rule.isDefault) {
    if (node.fallback) context.report("rego_type_error", `multiple default rules ${name} found`, head.loc);
    if (kind === "object" || kind === "set") {
      context.report("rego_type_error", `conflicting rules ${name} found`, head.loc);
    }
    node.fallback = rule;
  } else node.rules.push({ rule, tail });
  if (!head.args) return;
  const arity = context.functions.get(name);
  if (arity !== undefined && arity !== head.args.length) {
    context.report("rego_type_error", `conflicting rules ${name} found`, head.loc, "the number of arguments differs");
  }
  context.functions.set(name, head.args.length);
}

/** A path with one value has nothing below it; a package has no rule at its path. */
function checkChildren(context: CompileContext, node: RuleNode): void {
  const loc = node.rules[0]?.rule.head.loc ?? node.fallback?.head.loc;
  if (node.kind === undefined || loc === undefined) return;
  if (node.isPackage) {
    context.report(
      "rego_compile_error",
      `package ${pathName(node.path)} conflicts with rule at ${loc.file}:${loc.line}`,
      loc,
    );
  } else if (node.children.size > 0 && node.kind !== "object") {
    const below = [...node.children.values()].map(({ path }) => pathName(path));
    context.report("rego_type_error", `rule ${pathName(node.path)} conflicts with [${below.join(" ")}]`, loc);
  } else if (node.kind === "object") {
    const inside = [...node.children.values()].find((child) => child.isPackage);
    if (inside) context.report("rego_compile_error", `package ${pathName(inside.path)} conflicts with rule`, loc);
  }
}
