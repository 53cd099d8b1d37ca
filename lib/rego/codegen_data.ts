// SPDX-License-Identifier: Apache-2.0
/** Compiles references into `data`, where rules and base documents meet. */

import type { Term } from "./ast.ts";
import { type Bound, constantOf, generatePath, type Generator, pathReference, type Reference } from "./codegen.ts";
import { baseMember, type Element, walkPath } from "./lookup.ts";
import type { RuleNode } from "./rule_tree.ts";
import type { Eval, Frame, Scope } from "./runtime.ts";
import { keyOf, type Value } from "./values.ts";

/** Compiles `data` followed by `path`. */
export function dataReference(g: Generator, path: readonly Term[], bound: Bound): Reference {
  const { program } = g;
  let node: RuleNode | undefined = program.tree.root;
  let depth = 0;
  for (; depth < path.length && node.kind === undefined; depth++) {
    const part = path[depth] as Term;
    const key: Value | undefined = constantOf(part);
    const child: RuleNode | undefined = key === undefined ? undefined : node.children.get(keyOf(key));
    if (child === undefined) {
      // A constant that leads away from the rules leaves base documents only.
      if (key !== undefined) node = undefined;
      break;
    }
    node = child;
  }
  const elements = generatePath(g, path, bound);
  if (node === undefined) return baseReference(g, path, elements);
  if (node.kind === undefined) return nodeReference(g, node, elements, depth);
  return ruleReference(g, node, elements, depth);
}

/** Base documents only. */
function baseReference(g: Generator, path: readonly Term[], elements: readonly Element[]): Reference {
  const { data } = g.program;
  let constants = 0;
  let known: Value | undefined = data;
  for (; constants < path.length; constants++) {
    const key = constantOf(path[constants] as Term);
    if (key === undefined) break;
    known = baseMember(known, key);
  }
  const rest = elements.slice(constants);
  const prefix = elements.slice(0, constants);
  const changed = pathReference((frame) => frame.scope.data, prefix, baseMember).eval;
  // The documents do not change, but `with` may replace them.
  const base: Eval = (frame) => frame.scope.data === data ? known : changed(frame);
  return {
    ...pathReference(base, rest, baseMember),
    isDocument: true,
    each: (then) => (frame) => walkPath(frame, base(frame), rest, 0, then, baseMember),
  };
}

/** A package, or what is above packages. */
function nodeReference(g: Generator, node: RuleNode, elements: readonly Element[], depth: number): Reference {
  const { program } = g;
  const rest = elements.slice(depth);
  const single = rest.every(({ key }) => key !== undefined);
  return {
    single,
    eval(frame) {
      let result: Value | undefined;
      program.walkNode(frame, node, rest, 0, (_, value) => {
        result = value;
        return true;
      });
      return result;
    },
    each: (then) => (frame) => program.walkNode(frame, node, rest, 0, then),
  };
}

/** A rule, and what is inside its value. */
function ruleReference(g: Generator, node: RuleNode, elements: readonly Element[], depth: number): Reference {
  const { program } = g;
  const rest = elements.slice(depth);
  const byKey = node.kind === "object" || node.kind === "set";
  const keys: Eval[] = [];
  for (const { key } of rest) {
    if (key === undefined) break;
    keys.push(key);
  }
  const { index } = node;
  const plain = (scope: Scope): Value | undefined => program.nodes[index]!.value(scope);
  const value: Eval = (frame: Frame) => {
    const { scope } = frame;
    if (scope.shadowed !== undefined && isShadowed(scope.shadowed, node)) return baseAt(scope, node);
    if (!byKey || keys.length === 0) return plain(scope);
    const known: Value[] = [];
    for (const key of keys) {
      const part = key(frame);
      if (part === undefined) return undefined;
      known.push(part);
    }
    return program.part(scope, node, known);
  };
  return { ...pathReference(value, rest), each: (then) => (frame) => walkPath(frame, value(frame), rest, 0, then) };
}

/** True when a `with` replaced this path or one above it. */
export function isShadowed(shadowed: ReadonlySet<string>, node: RuleNode): boolean {
  for (const name of node.names) if (shadowed.has(name)) return true;
  return false;
}

/** The base document at a node's path. */
export function baseAt(scope: Scope, node: RuleNode): Value | undefined {
  let value: Value | undefined = scope.data;
  for (const key of node.path) value = baseMember(value, key);
  return value;
}
