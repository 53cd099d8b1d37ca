// SPDX-License-Identifier: Apache-2.0
/** Puts rules and base documents together: everything below a path, and paths that are known only at run time. */

import type { Builtin } from "./builtins/builtin.ts";
import { baseAt, isShadowed } from "./codegen_data.ts";
import { generateNode } from "./codegen_rules.ts";
import { baseMember, type Element, walkPath } from "./lookup.ts";
import type { Tracer } from "./policy.ts";
import type { NodeProgram, Program } from "./program.ts";
import type { RuleNode, RuleTree } from "./rule_tree.ts";
import type { Cont, Frame, Scope } from "./runtime.ts";
import { type Key, keyOf, ObjectBuilder, RegoObject, sortValues, type Value } from "./values.ts";

export interface ProgramOptions {
  readonly tree: RuleTree;
  readonly data: RegoObject;
  readonly builtins: ReadonlyMap<string, Builtin>;
  readonly tracer: Tracer | undefined;
  arity(operator: readonly string[]): number;
}

/** Compiles every rule of the tree. */
export function createProgram(options: ProgramOptions): Program {
  const { tree } = options;
  const nodes: NodeProgram[] = [];
  const sorted = new Map<RuleNode, readonly RuleNode[]>();

  /** In OPA's order, which decides whose error is the first. */
  function childrenOf(node: RuleNode): readonly RuleNode[] {
    let children = sorted.get(node);
    if (children === undefined) {
      children = childKeys(node).map((key) => node.children.get(keyOf(key)) as RuleNode);
      sorted.set(node, children);
    }
    return children;
  }

  function nodeValue(scope: Scope, node: RuleNode): Value | undefined {
    if (scope.shadowed !== undefined && isShadowed(scope.shadowed, node)) return baseAt(scope, node);
    return node.kind === undefined ? extent(scope, node) : nodes[node.index]!.value(scope);
  }

  /** The rules at and below a path, merged with the base documents there. */
  function extent(scope: Scope, node: RuleNode): Value | undefined {
    const base = baseAt(scope, node);
    if (scope.shadowed !== undefined && isShadowed(scope.shadowed, node)) return base;
    const rules = leaves(scope, node);
    return base === undefined ? rules : merge(scope, base, rules);
  }

  /** A package without defined rules is an empty object. */
  function leaves(scope: Scope, node: RuleNode): Value {
    scope.evaluation.charge(1 + node.children.size);
    const builder = new ObjectBuilder();
    for (const child of childrenOf(node)) {
      const value = child.kind === undefined ? leaves(scope, child) : nodeValue(scope, child);
      if (value !== undefined) builder.set(child.path.at(-1) as Value, value);
    }
    return builder.build();
  }

  function walkNode(
    frame: Frame,
    node: RuleNode,
    path: readonly Element[],
    index: number,
    then: Cont,
  ): boolean {
    const { scope } = frame;
    const element = path[index];
    if (element === undefined || node.kind !== undefined) {
      return walkPath(frame, nodeValue(scope, node), path, index, then);
    }
    const base = baseAt(scope, node);
    if (scope.shadowed !== undefined && isShadowed(scope.shadowed, node)) {
      return walkPath(frame, base, path, index, then, baseMember);
    }
    if (element.key) {
      const key = element.key(frame);
      if (key === undefined) return false;
      const child = node.children.get(keyOf(key));
      if (child) return walkNode(frame, child, path, index + 1, then);
      return walkPath(frame, baseMember(base, key), path, index + 1, then, baseMember);
    }
    const { match } = element;
    const seen = new Set<Key>();
    const step = (key: Value): boolean => {
      scope.evaluation.charge(1);
      if (!match(frame, key)) return false;
      const child = node.children.get(keyOf(key));
      if (child) return walkNode(frame, child, path, index + 1, then);
      return walkPath(frame, baseMember(base, key), path, index + 1, then, baseMember);
    };
    if (base instanceof RegoObject) {
      for (const key of base.keys()) {
        seen.add(keyOf(key));
        if (step(key)) return true;
      }
    } else if (base !== undefined) return walkPath(frame, base, path, index, then, baseMember);
    for (const key of childKeys(node)) if (!seen.has(keyOf(key)) && step(key)) return true;
    return false;
  }

  const program: Program = {
    ...options,
    nodes,
    walkNode,
    extent,
    part(scope, node, keys) {
      const { part, value } = nodes[node.index] as NodeProgram;
      return part ? part(scope, keys) : value(scope);
    },
  };
  for (const node of tree.nodes) nodes.push(whenUsed(() => generateNode(program, node), node));
  return program;
}

/** Code is made when it first runs: a decision uses a part of a large policy only. */
function whenUsed(generate: () => NodeProgram, node: RuleNode): NodeProgram {
  let made: NodeProgram | undefined;
  const program = (): NodeProgram => made ??= generate();
  return {
    value: (scope) => program().value(scope),
    call: (scope, args) => program().call(scope, args),
    ...((node.kind === "object" || node.kind === "set") && { part: (scope, keys) => program().part?.(scope, keys) }),
    ...(node.kind === "object" && { fill: (scope, tree) => program().fill?.(scope, tree) }),
  };
}

/** As OPA: of two values that are not both objects, that of the base documents stays. */
function merge(scope: Scope, base: Value, rules: Value): Value {
  if (!(base instanceof RegoObject) || !(rules instanceof RegoObject)) return base;
  scope.evaluation.charge(base.size + rules.size);
  const builder = new ObjectBuilder(base);
  for (const [key, value] of rules.entries()) {
    const below = base.get(key);
    builder.set(key, below === undefined ? value : merge(scope, below, value));
  }
  return builder.build();
}

/** In OPA's order. */
function childKeys(node: RuleNode): Value[] {
  return sortValues([...node.children.values()].map((child) => child.path.at(-1) as Value));
}
