// SPDX-License-Identifier: Apache-2.0
/** is_* and type_name: what a value is. */

import { typeName, type Value } from "../values.ts";
import { anyType, booleanType, type Builtin, family, stringType } from "./builtin.ts";

function isType(type: string): Builtin {
  return {
    name: `is_${type}`,
    args: [anyType],
    result: booleanType,
    call: (_context, args) => typeName(args[0] as Value) === type,
  };
}

export const types = family(
  isType("array"),
  isType("boolean"),
  isType("null"),
  isType("number"),
  isType("object"),
  isType("set"),
  isType("string"),
  {
    name: "type_name",
    args: [anyType],
    result: stringType,
    call: (_context, args) => typeName(args[0] as Value),
  },
);
