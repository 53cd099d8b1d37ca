// SPDX-License-Identifier: Apache-2.0
/** count, sum, product, max, min and sort: one answer about a whole collection. */

import { toFloat } from "../arithmetic.ts";
import { fromFloat } from "../arithmetic.ts";
import { addFloats, type BigFloat, floatText } from "../big_float.ts";
import { BigNumber, fromBigInt, isNumber, parseNumber, type RegoNumber, toBigInt } from "../numbers.ts";
import { compareValues, isArray, RegoObject, RegoSet, sortValues, type Value } from "../values.ts";
import {
  anyType,
  arrayOrSetType,
  arrayType,
  type BuiltinContext,
  family,
  numberType,
  objectType,
  orType,
  setType,
  stringType,
} from "./builtin.ts";
import { chargeNumber, chargeText, collectionOperand, elementError, reserveDigits, typeError } from "./operands.ts";
import { codePointCount } from "./text.ts";

/** Mantissa bits of the float that OPA begins a product with (math/big, NewFloat). */
const PRODUCT_PRECISION = 53;

export const aggregates = family(
  {
    name: "count",
    args: [orType(stringType, arrayType(), objectType(), setType())],
    result: numberType,
    call(context, args) {
      const value = args[0] as Value;
      if (isArray(value)) return value.length;
      if (value instanceof RegoObject || value instanceof RegoSet) return value.size;
      if (typeof value !== "string") throw typeError(1, value, "array", "object", "set", "string");
      chargeText(context, value.length);
      return codePointCount(value);
    },
  },
  {
    name: "sum",
    args: [arrayOrSetType(numberType)],
    result: numberType,
    call(context, args) {
      const numbers = numbersOperand(context, args);
      let small = 0;
      let index = 0;
      for (; index < numbers.length; index++) {
        const next = numbers[index] as RegoNumber;
        if (typeof next !== "number" || !Number.isSafeInteger(next) || !Number.isSafeInteger(small + next)) break;
        small += next;
      }
      if (index === numbers.length) return small;
      let whole: bigint | undefined = 0n;
      for (const number of numbers) {
        const integer = toBigInt(number);
        whole = integer === undefined ? undefined : whole + integer;
        if (whole === undefined) break;
      }
      if (whole !== undefined) return fromBigInt(whole);
      let total: BigFloat = { negative: false, mantissa: 0n, exponent: 0 };
      for (const number of numbers) total = addFloats(total, toFloat(number));
      return fromFloat(total);
    },
  },
  {
    name: "product",
    args: [arrayOrSetType(numberType)],
    result: numberType,
    call(context, args) {
      const numbers = numbersOperand(context, args);
      let whole: bigint | undefined = 1n;
      let digits = 1;
      for (const number of numbers) {
        const integer = toBigInt(number);
        if (integer === undefined) {
          whole = undefined;
          break;
        }
        digits += typeof number === "number" ? String(number).length : integer.toString().length;
        reserveDigits(context, digits);
        whole *= integer;
      }
      if (whole !== undefined) return fromBigInt(whole);
      let total: BigFloat = { negative: false, mantissa: 1n, exponent: 0 };
      for (const number of numbers) total = timesRounded(total, toFloat(number));
      const text = floatText(total, PRODUCT_PRECISION);
      return parseNumber(text) ?? new BigNumber(text);
    },
  },
  {
    name: "max",
    args: [arrayOrSetType()],
    result: anyType,
    call(context, args) {
      return extreme(context, args, (order) => order >= 0);
    },
  },
  {
    name: "min",
    args: [arrayOrSetType()],
    result: anyType,
    call(context, args) {
      return extreme(context, args, (order) => order <= 0);
    },
  },
  {
    name: "sort",
    args: [arrayOrSetType()],
    result: arrayType(),
    call(context, args) {
      const values = collectionOperand(args, 1);
      context.charge(values.length);
      return isArray(args[0]) ? sortValues([...values]) : values;
    },
  },
);

function numbersOperand(context: BuiltinContext, args: readonly Value[]): readonly RegoNumber[] {
  const values = collectionOperand(args, 1);
  context.charge(values.length);
  for (const value of values) {
    if (!isNumber(value)) throw elementError(1, args[0] as Value, value, "number");
    chargeNumber(context, value);
  }
  return values as readonly RegoNumber[];
}

/** The last element that `wins` over every one before it; undefined for none. */
function extreme(context: BuiltinContext, args: readonly Value[], wins: (order: number) => boolean): Value | undefined {
  const values = collectionOperand(args, 1);
  context.charge(values.length);
  let best = values[0];
  for (let index = 1; index < values.length; index++) {
    const next = values[index] as Value;
    if (wins(compareValues(next, best as Value))) best = next;
  }
  return best;
}

/** The product rounded half to even to the precision of a product. */
function timesRounded(a: BigFloat, b: BigFloat): BigFloat {
  const mantissa = a.mantissa * b.mantissa;
  const negative = a.negative !== b.negative;
  const excess = mantissa.toString(2).length - PRODUCT_PRECISION;
  if (excess <= 0) return { negative, mantissa, exponent: a.exponent + b.exponent };
  const unit = 1n << BigInt(excess);
  const rest = mantissa & (unit - 1n);
  const kept = mantissa >> BigInt(excess);
  const up = rest * 2n > unit || (rest * 2n === unit && (kept & 1n) === 1n);
  return { negative, mantissa: up ? kept + 1n : kept, exponent: a.exponent + b.exponent + excess };
}
