// SPDX-License-Identifier: Apache-2.0
/** json.patch: a JSON Patch (RFC 6902) applied to any value; sets are changed by their members. */

import { int64Of, isNumber, parseNumber } from "../numbers.ts";
import {
  equalValues,
  isArray,
  ObjectBuilder,
  RegoObject,
  RegoSet,
  SetBuilder,
  typeName,
  type Value,
} from "../values.ts";
import { anyType, arrayType, type BuiltinContext, builtinError, family, objectType, stringType } from "./builtin.ts";
import { pathSegments } from "./json_paths.ts";
import { arrayOperand, reserveElements } from "./operands.ts";
import { valueText } from "./value_text.ts";

export const jsonPatch = family({
  name: "json.patch",
  args: [anyType, arrayType(objectType(anyType, anyType, { op: stringType, path: anyType }))],
  result: anyType,
  call(context, args) {
    let document = args[0] as Value | undefined;
    for (const operation of arrayOperand(args, 2)) {
      if (!(operation instanceof RegoObject)) {
        throw builtinError("must be an array of JSON-Patch objects, but at least one element is not an object");
      }
      document = applyOperation(context, document, operation);
    }
    return document;
  },
});

function applyOperation(
  context: BuiltinContext,
  document: Value | undefined,
  operation: RegoObject,
): Value | undefined {
  const path = pathSegments(attribute(operation, "path"));
  const op = attribute(operation, "op");
  if (typeof op !== "string") throw builtinError(`attribute 'op' must be a string but found: ${typeName(op)}`);
  switch (op) {
    case "add":
      return insert(context, document, path, attribute(operation, "value"));
    case "remove":
      return remove(context, document, path);
    case "replace": {
      const rest = remove(context, document, path);
      return insert(context, path.length === 0 ? null : rest, path, attribute(operation, "value"));
    }
    case "move": {
      const from = pathSegments(attribute(operation, "from"));
      const value = read(context, document, from);
      const rest = remove(context, document, from);
      return insert(context, from.length === 0 && path.length === 0 ? null : rest, path, value);
    }
    case "copy":
      return insert(context, document, path, read(context, document, pathSegments(attribute(operation, "from"))));
    case "test": {
      const found = read(context, document, path);
      const wanted = attribute(operation, "value");
      if (equalValues(found, wanted)) return document;
      throw builtinError(
        `value from EditTree != patch value.\n\nExpected: ${valueText(context, wanted)}\n\nFound: ${
          valueText(context, found)
        }`,
      );
    }
    default:
      throw builtinError(`unrecognized op: '${op}'`);
  }
}

function attribute(operation: RegoObject, name: string): Value {
  const value = operation.get(name);
  if (value === undefined) throw builtinError(`missing required attribute '${name}'`);
  return value;
}

/** Where in an array of `length` elements a segment points; `-` is the place after the last. */
function arrayIndex(segment: Value, length: number): number {
  if (segment === "-") return length;
  if (typeof segment === "string") {
    const number = parseNumber(segment);
    const index = number === undefined ? undefined : int64Of(number);
    if (index === undefined) throw builtinError("invalid string for indexing");
    if (segment !== "0" && segment.startsWith("0")) throw builtinError("leading zeros are not allowed in JSON paths");
    return Number(index);
  }
  if (!isNumber(segment)) throw builtinError("invalid type for indexing");
  const index = int64Of(segment);
  if (index === undefined) throw builtinError("invalid number type for indexing");
  return Number(index);
}

/** The value at `path`. */
function read(context: BuiltinContext, document: Value | undefined, path: readonly Value[]): Value {
  let current = document;
  for (const segment of path) {
    context.charge(1);
    current = childAt(context, current, segment);
  }
  if (current === undefined) throw builtinError("nil value encountered where composite value was expected");
  return current;
}

function childAt(context: BuiltinContext, value: Value | undefined, segment: Value): Value {
  if (value === undefined) throw builtinError("nil value encountered where composite value was expected");
  let found: Value | undefined;
  if (value instanceof RegoObject || value instanceof RegoSet) found = value.get(segment);
  else if (isArray(value)) found = value[arrayIndex(segment, value.length)];
  else throw builtinError(`expected composite type for path ${valueText(context, segment)}, found ${typeName(value)}`);
  if (found === undefined) {
    throw builtinError(`path ${valueText(context, segment)} does not exist in ${typeName(value)} term`);
  }
  return found;
}

/** `value` with the child at `path[0]` changed by `change`, one level at a time. */
function descend(
  context: BuiltinContext,
  value: Value | undefined,
  path: readonly Value[],
  change: (parent: Value, key: Value) => Value,
): Value {
  const [segment, ...rest] = path as readonly [Value, ...Value[]];
  if (value === undefined) throw builtinError("nil value encountered where composite value was expected");
  if (rest.length === 0) return change(value, segment);
  const changed = descend(context, childAt(context, value, segment), rest, change);
  return put(context, value, segment, changed);
}

/** `parent` with its existing child at `segment` replaced. */
function put(context: BuiltinContext, parent: Value, segment: Value, child: Value): Value {
  if (isArray(parent)) {
    reserveElements(context, parent.length);
    return parent.with(arrayIndex(segment, parent.length), child);
  }
  if (parent instanceof RegoObject) {
    reserveElements(context, parent.size);
    const builder = new ObjectBuilder(parent);
    builder.set(segment, child);
    return builder.build();
  }
  return replaceMember(context, parent as RegoSet, segment, child);
}

function replaceMember(
  context: BuiltinContext,
  set: RegoSet,
  old: Value | undefined,
  added: Value | undefined,
): RegoSet {
  reserveElements(context, set.size + 1);
  const builder = new SetBuilder();
  for (const member of set.values()) if (old === undefined || !equalValues(member, old)) builder.add(member);
  if (added !== undefined) builder.add(added);
  return builder.build();
}

function insert(context: BuiltinContext, document: Value | undefined, path: readonly Value[], value: Value): Value {
  if (path.length === 0) return value;
  return descend(context, document, path, (parent, key) => {
    if (parent instanceof RegoObject) {
      reserveElements(context, parent.size + 1);
      const builder = new ObjectBuilder(parent);
      builder.set(key, value);
      return builder.build();
    }
    if (isArray(parent)) {
      const index = arrayIndex(key, parent.length);
      if (index < 0 || index > parent.length) throw builtinError("index for array insertion out of bounds");
      reserveElements(context, parent.length + 1);
      return parent.toSpliced(index, 0, value);
    }
    if (!(parent instanceof RegoSet)) {
      throw builtinError(`expected composite type, found value: ${valueText(context, parent)}`);
    }
    if (equalValues(key, value)) return replaceMember(context, parent, undefined, value);
    throw builtinError(
      `set key ${valueText(context, key)} does not equal value to be inserted ${valueText(context, value)}`,
    );
  });
}

/** The document without what is at `path`; undefined when that is all of it. */
function remove(context: BuiltinContext, document: Value | undefined, path: readonly Value[]): Value | undefined {
  if (path.length === 0) {
    if (document === undefined) throw builtinError("deleted node encountered during delete operation");
    return undefined;
  }
  return descend(context, document, path, (parent, key) => {
    if (isArray(parent)) {
      const index = arrayIndex(key, parent.length);
      if (index < 0 || index >= parent.length) throw builtinError("index for array delete out of bounds");
      reserveElements(context, parent.length);
      return parent.toSpliced(index, 1);
    }
    if (!(parent instanceof RegoObject) && !(parent instanceof RegoSet)) {
      throw builtinError(`expected composite type, found value: ${valueText(context, parent)}`);
    }
    if (!parent.has(key)) throw builtinError(`cannot delete child key ${valueText(context, key)} that does not exist`);
    if (parent instanceof RegoSet) return replaceMember(context, parent, key, undefined);
    reserveElements(context, parent.size);
    const builder = new ObjectBuilder(parent);
    builder.delete(key);
    return builder.build();
  });
}
