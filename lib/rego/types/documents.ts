// SPDX-License-Identifier: Apache-2.0
/** Knows the types below `data` and `input`: those of the rules, and those that a `with` puts over them. */

import type { Term } from "../ast.ts";
import { anyType, type MemberType, type ObjectType, stringType, type Type } from "../builtins/builtin.ts";
import { constantOf } from "../codegen.ts";
import { type Key, keyOf, type Value } from "../values.ts";
import { type Lattice, typeOfValue } from "./lattice.ts";

/** The parameters and the result of a function; of a function of the policy, undefined: its result is not known. */
export interface Signature {
  readonly args: readonly Type[];
  readonly result: Type | undefined;
}

/** A path below a document. */
export interface TypeNode {
  readonly key: Value;
  /** Undefined for a path that leads to others only. */
  type: Type | undefined;
  signature: Signature | undefined;
  readonly children: Map<Key, TypeNode>;
}

/** Types of documents; what one layer does not know, the one below it may. */
export interface Documents {
  readonly roots: ReadonlyMap<string, TypeNode>;
  readonly below: Documents | undefined;
  /** The type at the path, which nothing above it may define. */
  set(root: string, path: readonly Value[], type: Type): void;
  /** Adds to what other rules give at the path, and to the objects that rules with variable paths make around it. */
  add(path: readonly Value[], type: Type): void;
  addSignature(path: readonly Value[], signature: Signature): void;
}

export function createDocuments(lattice: Lattice, below?: Documents): Documents {
  const roots = new Map<string, TypeNode>();

  function descend(root: string, path: readonly Value[], onTheWay: (node: TypeNode, rest: readonly Value[]) => void) {
    let node = roots.get(root);
    if (node === undefined) roots.set(root, node = newNode(root));
    path.forEach((key, i) => {
      let child: TypeNode | undefined = node!.children.get(keyOf(key));
      if (child === undefined) node!.children.set(keyOf(key), child = newNode(key));
      else if (i + 1 < path.length) onTheWay(child, path.slice(i + 1));
      node = child;
    });
    return node;
  }

  /** The object type with something more at `path` inside it. */
  function withMember(object: ObjectType, path: readonly Value[], type: Type): ObjectType {
    const [key, ...rest] = path as [Value, ...Value[]];
    const value = rest.length === 0 ? type : withMember(EMPTY_OBJECT, rest, type);
    const known = object.rest;
    return {
      ...object,
      rest: { key: lattice.either([known?.key, typeOfValue(key)]), value: lattice.either([known?.value, value]) },
    };
  }

  return {
    roots,
    below,
    set(root, path, type) {
      descend(root, path, () => {}).type = type;
    },
    add(path, type) {
      const node = descend("data", path, (outer, rest) => {
        if (outer.type?.kind === "object") outer.type = withMember(outer.type, rest, type);
      });
      node.type = merge(lattice, node.type, type);
      if (type.kind !== "object") return;
      for (const [rest, inner] of typesBelow(node)) {
        if (node.type?.kind === "object") node.type = withMember(node.type, rest, inner);
      }
    },
    addSignature(path, added) {
      const node = descend("data", path, () => {});
      if (node.type) return;
      const known = node.signature;
      node.signature = known === undefined ? added : {
        args: known.args.map((arg, i) => lattice.either([arg, added.args[i]]) ?? anyType),
        result: lattice.either([known.result, added.result]),
      };
    },
  };
}

const EMPTY_OBJECT: ObjectType = { kind: "object", members: new Map(), rest: undefined };

function newNode(key: Value): TypeNode {
  return { key, type: undefined, signature: undefined, children: new Map() };
}

function* typesBelow(node: TypeNode): Generator<[readonly Value[], Type]> {
  for (const child of node.children.values()) {
    if (child.type) yield [[child.key], child.type];
    else for (const [path, type] of typesBelow(child)) yield [[child.key, ...path], type];
  }
}

/** What several rules of one path give together: objects without known members and sets become one. */
function merge(lattice: Lattice, a: Type | undefined, b: Type | undefined): Type | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.kind === "set" && b.kind === "set") return { kind: "set", of: lattice.either([a.of, b.of]) };
  if (isOpen(a) && isOpen(b)) {
    if (!a.rest || !b.rest) return a.rest ? a : b;
    const key = lattice.either([a.rest.key, b.rest.key]);
    return { ...a, rest: { key, value: merge(lattice, a.rest.value, b.rest.value) } };
  }
  if (a.kind === "or" && isOpen(b)) return mergeInto(lattice, a.of, b);
  if (b.kind === "or" && isOpen(a)) return mergeInto(lattice, b.of, a);
  return lattice.either([a, b]);
}

function mergeInto(lattice: Lattice, types: readonly Type[], object: ObjectType): Type | undefined {
  const at = types.findIndex((type) => isOpen(type) && type.rest !== undefined);
  if (at < 0 || object.rest === undefined) return lattice.either([...types, object]);
  const { rest } = types[at] as ObjectType;
  const key = lattice.either([rest?.key, object.rest.key]);
  const value = lattice.either([rest?.value, object.rest.value]);
  return lattice.either(types.with(at, { ...object, rest: { key, value } }));
}

/** An object of which no member is known by name. */
function isOpen(type: Type): type is ObjectType {
  return type.kind === "object" && type.members.size === 0;
}

/** What a path of the documents holds as a whole. A package may hold more than its rules: documents. */
export function extentOf(node: TypeNode): Type | undefined {
  if (node.type) return node.type;
  const members = new Map<Key, MemberType>();
  for (const [key, child] of node.children) {
    if (child.signature) continue;
    if (typeof child.key === "string" || typeof child.key === "number" || typeof child.key === "boolean") {
      members.set(key, { key: child.key, value: extentOf(child) });
    }
  }
  return { kind: "object", members, rest: { key: stringType, value: anyType } };
}

/** What is at a reference into a document: its type, or the function there. */
export interface Found {
  readonly type: Type | undefined;
  readonly signature?: Signature | undefined;
}

/** Looks a reference that begins with `root` up, from the uppermost layer on. */
export function lookUp(lattice: Lattice, documents: Documents, root: string, path: readonly Term[]): Found {
  for (let layer: Documents | undefined = documents; layer; layer = layer.below) {
    const node = layer.roots.get(root);
    const found = node && lookInside(lattice, node, path);
    if (found) return found;
  }
  return { type: anyType };
}

/** The function of the policy at a path below `data`; undefined when none is known there, or a `with` hides it. */
export function signatureAt(documents: Documents, path: readonly string[]): Signature | undefined {
  for (let layer: Documents | undefined = documents; layer; layer = layer.below) {
    let node = layer.roots.get("data");
    for (const key of path) node = node?.children.get(keyOf(key));
    if (node?.type || node?.signature) return node.type ? undefined : node.signature;
  }
  return undefined;
}

/** Undefined when this layer does not know the path. */
function lookInside(lattice: Lattice, start: TypeNode, path: readonly Term[]): Found | undefined {
  let node = start;
  for (const [i, part] of path.entries()) {
    const key = constantOf(part);
    const child = key === undefined ? undefined : node.children.get(keyOf(key));
    if (child) node = child;
    else if (node.signature) return { type: undefined };
    else if (node.type === undefined && key !== undefined) return undefined;
    else return { type: selectPath(lattice, extentOf(node), path.slice(i)) };
  }
  return { type: node.signature && !node.type ? undefined : extentOf(node), signature: node.signature };
}

/** What a reference gives that goes on from a value of this type. */
export function selectPath(lattice: Lattice, type: Type | undefined, path: readonly Term[]): Type | undefined {
  for (const part of path) {
    if (type === undefined) return undefined;
    type = part.kind === "scalar" ? lattice.select(type, part.value) : lattice.values(type);
  }
  return type;
}
