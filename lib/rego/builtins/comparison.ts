// SPDX-License-Identifier: Apache-2.0
/** The comparison operators and the membership test of `in`, by their OPA names. */

import { compareValues, equalValues, isArray, RegoObject, RegoSet, type Value } from "../values.ts";
import { anyType, booleanType, type Builtin, family } from "./builtin.ts";
import { elementAt } from "../lookup.ts";

function comparison(name: string, holds: (a: Value, b: Value) => boolean): Builtin {
  return {
    name,
    args: [anyType, anyType],
    result: booleanType,
    call: (_context, args) => holds(args[0] as Value, args[1] as Value),
  };
}

export const comparisons = family(
  comparison("equal", equalValues),
  comparison("neq", (a, b) => !equalValues(a, b)),
  comparison("lt", (a, b) => compareValues(a, b) < 0),
  comparison("lte", (a, b) => compareValues(a, b) <= 0),
  comparison("gt", (a, b) => compareValues(a, b) > 0),
  comparison("gte", (a, b) => compareValues(a, b) >= 0),
  {
    name: "internal.member_2",
    args: [anyType, anyType],
    result: booleanType,
    call(context, args) {
      const [member, collection] = args as [Value, Value];
      if (collection instanceof RegoSet) return collection.has(member);
      if (isArray(collection)) {
        context.charge(collection.length);
        return collection.some((value) => equalValues(value, member));
      }
      if (!(collection instanceof RegoObject)) return false;
      context.charge(collection.size);
      for (const [, value] of collection.entries()) if (equalValues(value, member)) return true;
      return false;
    },
  },
  {
    name: "internal.member_3",
    args: [anyType, anyType, anyType],
    result: booleanType,
    call(_context, args) {
      const [key, member, collection] = args as [Value, Value, Value];
      if (collection instanceof RegoSet) return equalValues(key, member) && collection.has(key);
      const found = isArray(collection)
        ? elementAt(collection, key)
        : collection instanceof RegoObject
        ? collection.get(key)
        : undefined;
      return found !== undefined && equalValues(found, member);
    },
  },
);
