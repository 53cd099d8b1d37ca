// SPDX-License-Identifier: Apache-2.0
/** object.*: members looked up, kept, dropped, merged and compared. */

import { elementAt } from "../lookup.ts";
import { equalValues, isArray, ObjectBuilder, RegoObject, RegoSet, setOf, type Value } from "../values.ts";
import {
  anyType,
  arrayType,
  booleanType,
  type BuiltinContext,
  family,
  objectType,
  orType,
  RegoBuiltinError,
  setType,
} from "./builtin.ts";
import { arrayOperand, elementError, objectOperand, reserveElements, typeError } from "./operands.ts";

const KEYS = orType(arrayType(), objectType(), setType());

export const objects = family(
  {
    name: "object.get",
    args: [objectType(), anyType, anyType],
    result: anyType,
    call(_context, args) {
      const object = objectOperand(args, 1);
      const [, path, otherwise] = args as [Value, Value, Value];
      if (!isArray(path)) {
        // Null is a value like any other.
        const found = object.get(path);
        return found === undefined ? otherwise : found;
      }
      let current: Value | undefined = object;
      for (const step of path) {
        current = child(current, step);
        if (current === undefined) return otherwise;
      }
      return current;
    },
  },
  {
    name: "object.keys",
    args: [objectType()],
    result: setType(),
    call(context, args) {
      const object = objectOperand(args, 1);
      reserveElements(context, object.size);
      return setOf(object.keys());
    },
  },
  {
    name: "object.remove",
    args: [objectType(), KEYS],
    result: objectType(),
    call(context, args) {
      const object = objectOperand(args, 1);
      const keys = setOf(keysOperand(args));
      reserveElements(context, object.size + keys.size);
      const builder = new ObjectBuilder();
      for (const [key, value] of object.entries()) if (!keys.has(key)) builder.set(key, value);
      return builder.build();
    },
  },
  {
    name: "object.filter",
    args: [objectType(), KEYS],
    result: objectType(),
    call(context, args) {
      const object = objectOperand(args, 1);
      const keys = keysOperand(args);
      reserveElements(context, keys.length);
      const builder = new ObjectBuilder();
      for (const key of keys) {
        const value = object.get(key);
        if (value !== undefined) builder.set(key, value);
      }
      return builder.build();
    },
  },
  {
    name: "object.union",
    args: [objectType(), objectType()],
    result: objectType(),
    call: (context, args) => merge(context, objectOperand(args, 1), objectOperand(args, 2)),
  },
  {
    name: "object.union_n",
    args: [arrayType(objectType())],
    result: objectType(),
    call(context, args) {
      const values = arrayOperand(args, 1);
      let merged = RegoObject.empty;
      for (const value of values) {
        if (!(value instanceof RegoObject)) throw elementError(1, values, value, "object");
        merged = merge(context, merged, value);
      }
      return merged;
    },
  },
  {
    name: "object.subset",
    args: [orType(arrayType(), objectType(), setType()), orType(arrayType(), objectType(), setType())],
    result: booleanType,
    call(context, args) {
      const [whole, part] = args as [Value, Value];
      const answer = contains(context, whole, part);
      if (answer !== undefined) return answer;
      if (isArray(whole) && part instanceof RegoSet) {
        context.charge(whole.length);
        return countsUpTo(whole, part);
      }
      throw new RegoBuiltinError(
        "eval_type_error",
        "both arguments object.subset must be of the same type or array and set",
      );
    },
  },
);

/** As OPA counts: every element found in `part` counts, a repeated one again; an empty array has nothing. */
function countsUpTo(whole: readonly Value[], part: RegoSet): boolean {
  let missing = part.size;
  for (const value of whole) {
    if (part.has(value)) missing--;
    if (missing === 0) return true;
  }
  return false;
}

/** What a reference step finds in a value of any type. */
export function child(value: Value, step: Value): Value | undefined {
  if (value instanceof RegoObject) return value.get(step);
  if (isArray(value)) return elementAt(value, step);
  return value instanceof RegoSet ? value.get(step) : undefined;
}

/** The keys that an array, an object or a set names. */
function keysOperand(args: readonly Value[]): readonly Value[] {
  const value = args[1] as Value;
  if (isArray(value)) return value;
  if (value instanceof RegoSet) return value.values();
  if (value instanceof RegoObject) return value.keys();
  throw typeError(2, value, "object", "set", "array");
}

/** `b` over `a`: objects are merged at every level, anything else of `b` replaces what `a` has. */
function merge(context: BuiltinContext, a: RegoObject, b: RegoObject): RegoObject {
  if (a.size === 0) return b;
  if (b.size === 0) return a;
  reserveElements(context, a.size + b.size);
  const builder = new ObjectBuilder(a);
  for (const [key, value] of b.entries()) {
    const old = a.get(key);
    builder.set(key, old instanceof RegoObject && value instanceof RegoObject ? merge(context, old, value) : value);
  }
  return builder.build();
}

/** True when `whole` has all of `part`; undefined when they are not of one collection type. */
function contains(context: BuiltinContext, whole: Value, part: Value): boolean | undefined {
  if (whole instanceof RegoObject && part instanceof RegoObject) {
    context.charge(part.size);
    for (const [key, value] of part.entries()) {
      const other = whole.get(key);
      if (other === undefined) return false;
      if (!equalValues(other, value) && contains(context, other, value) !== true) return false;
    }
    return true;
  }
  if (whole instanceof RegoSet && part instanceof RegoSet) {
    context.charge(part.size);
    return part.values().every((value) => whole.has(value));
  }
  return isArray(whole) && isArray(part) ? containsRun(context, whole, part) : undefined;
}

/** True when `part` stands in `whole` without a gap, found as OPA scans: a mismatch moves the start by one. */
function containsRun(context: BuiltinContext, whole: readonly Value[], part: readonly Value[]): boolean {
  for (let start = 0; start + part.length <= whole.length; start++) {
    let matched = 0;
    while (matched < part.length && equalValues(whole[start + matched] as Value, part[matched] as Value)) matched++;
    context.charge(matched + 1);
    if (matched === part.length) return true;
  }
  return false;
}
