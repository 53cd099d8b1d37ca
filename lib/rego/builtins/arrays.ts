// SPDX-License-Identifier: Apache-2.0
/** array.*: new arrays made of old ones. */

import { isArray, type Value } from "../values.ts";
import { arrayType, family, numberType } from "./builtin.ts";
import { arrayOperand, intOperand, reserveElements } from "./operands.ts";

export const arrays = family(
  {
    name: "array.concat",
    args: [arrayType(), arrayType()],
    result: arrayType(),
    call(context, args) {
      const first = arrayOperand(args, 1);
      const second = arrayOperand(args, 2);
      reserveElements(context, first.length + second.length);
      return [...first, ...second];
    },
  },
  {
    name: "array.flatten",
    args: [arrayType()],
    result: arrayType(),
    call(context, args) {
      const values = arrayOperand(args, 1);
      let count = 0;
      for (const value of values) count += isArray(value) ? value.length : 1;
      reserveElements(context, count);
      const flat: Value[] = [];
      for (const value of values) {
        if (isArray(value)) { for (const inner of value) flat.push(inner); }
        else flat.push(value);
      }
      return flat;
    },
  },
  {
    name: "array.reverse",
    args: [arrayType()],
    result: arrayType(),
    call(context, args) {
      const values = arrayOperand(args, 1);
      reserveElements(context, values.length);
      return [...values].reverse();
    },
  },
  {
    name: "array.slice",
    args: [arrayType(), numberType, numberType],
    result: arrayType(),
    call(context, args) {
      const values = arrayOperand(args, 1);
      const from = intOperand(args, 2);
      const to = Math.min(Math.max(intOperand(args, 3), 0), values.length);
      const start = Math.min(Math.max(from, 0), to);
      reserveElements(context, to - start);
      return values.slice(start, to);
    },
  },
);
