// SPDX-License-Identifier: Apache-2.0
/** json.filter and json.remove: documents cut along paths. */

import {
  isArray,
  type Key,
  keyOf,
  ObjectBuilder,
  RegoObject,
  RegoSet,
  SetBuilder,
  typeName,
  type Value,
} from "../values.ts";
import {
  anyType,
  arrayOrSetType,
  arrayType,
  type BuiltinContext,
  family,
  objectType,
  operandError,
  orType,
  stringType,
} from "./builtin.ts";
import { objectOperand, typeError } from "./operands.ts";

const PATHS = arrayOrSetType(orType(stringType, arrayType(anyType)));

/** Paths as a tree of keys; null ends a path. */
type PathTree = Map<Key, PathTree | null>;

export const jsonPaths = family(
  {
    name: "json.filter",
    args: [objectType(), PATHS],
    result: objectType(),
    call: (context, args) => keep(context, objectOperand(args, 1), treeOperand(args)),
  },
  {
    name: "json.remove",
    args: [objectType(), PATHS],
    result: objectType(),
    call: (context, args) => drop(context, objectOperand(args, 1), treeOperand(args)),
  },
);

/** The segments of a path: a JSON pointer (RFC 6901; a leading slash may be missing) or an array of keys. */
export function pathSegments(path: Value): readonly Value[] {
  if (typeof path === "string") {
    if (path === "") return [];
    return path.replace(/^\/+/, "").split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  }
  if (isArray(path)) return path;
  throw operandError(
    2,
    `must be one of {set, array} containing string paths or array of path segments but got ${typeName(path)}`,
  );
}

/** Builds the tree of operand 2; a path that goes on below the end of another one says nothing new. */
function treeOperand(args: readonly Value[]): PathTree {
  const paths = args[1] as Value;
  const list = isArray(paths) ? paths : paths instanceof RegoSet ? paths.values() : undefined;
  if (list === undefined) throw typeError(2, paths, "set", "array");
  const root: PathTree = new Map();
  for (const path of list) {
    const segments = pathSegments(path);
    let node = root;
    for (const [index, segment] of segments.entries()) {
      const key = keyOf(segment);
      const next = node.get(key);
      if (index === segments.length - 1) node.set(key, null);
      else if (next === null) break;
      else {
        const deeper: PathTree = next ?? new Map();
        node.set(key, deeper);
        node = deeper;
      }
    }
  }
  return root;
}

/** Only what the paths lead to. */
function keep(context: BuiltinContext, value: Value, tree: PathTree | null): Value {
  if (tree === null || typeof value !== "object" || value === null) return value;
  context.charge(1 + tree.size);
  if (isArray(value)) {
    context.charge(value.length);
    return value.flatMap((item, index) => {
      const deeper = tree.get(String(index));
      return deeper === undefined ? [] : [keep(context, item, deeper)];
    });
  }
  if (value instanceof RegoSet) {
    const builder = new SetBuilder();
    for (const item of value.values()) {
      const deeper = tree.get(keyOf(item));
      if (deeper !== undefined) builder.add(keep(context, item, deeper));
    }
    return builder.build();
  }
  if (!(value instanceof RegoObject)) return value;
  const builder = new ObjectBuilder();
  for (const [key, member] of value.entries()) {
    const deeper = tree.get(keyOf(key));
    if (deeper !== undefined) builder.set(key, keep(context, member, deeper));
  }
  return builder.build();
}

/** All but what the paths lead to. */
function drop(context: BuiltinContext, value: Value, tree: PathTree): Value {
  if (typeof value !== "object" || value === null) return value;
  context.charge(1);
  if (isArray(value)) {
    context.charge(value.length);
    return value.flatMap((item, index) => {
      const deeper = tree.get(String(index));
      return deeper === null ? [] : [deeper === undefined ? item : drop(context, item, deeper)];
    });
  }
  if (value instanceof RegoSet) {
    const builder = new SetBuilder();
    for (const item of value.values()) {
      const deeper = tree.get(keyOf(item));
      if (deeper !== null) builder.add(deeper === undefined ? item : drop(context, item, deeper));
    }
    return builder.build();
  }
  if (!(value instanceof RegoObject)) return value;
  context.charge(value.size);
  const builder = new ObjectBuilder();
  for (const [key, member] of value.entries()) {
    const deeper = tree.get(keyOf(key));
    if (deeper !== null) builder.set(key, deeper === undefined ? member : drop(context, member, deeper));
  }
  return builder.build();
}
