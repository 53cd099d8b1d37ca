// SPDX-License-Identifier: Apache-2.0
/** Arithmetic as OPA does it: exact on integers of any size, 64-bit floating point on fractions. */

import {
  addFloats,
  type BigFloat,
  divideFloats,
  floatFromBigInt,
  floatFromDecimal,
  floatText,
  isIntegerFloat,
  multiplyFloats,
  negateFloat,
  truncateFloat,
  wholeText,
} from "./big_float.ts";
import { builtinError } from "./builtins/builtin.ts";
import { DEFAULT_LIMITS, RegoLimitError } from "./limits.ts";
import { BigNumber, decimalOf, formatNumber, fromBigInt, parseNumber, type RegoNumber, toBigInt } from "./numbers.ts";

/** log2(10). */
const BITS_PER_DIGIT = Math.log2(10);

export function add(a: RegoNumber, b: RegoNumber): RegoNumber {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    // The operands must be integers too: 0.5 + 0.5 is exact, but 0.1 + 0.9 is only so by luck.
    if (Number.isSafeInteger(sum) && Number.isSafeInteger(a) && Number.isSafeInteger(b)) return sum;
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x !== undefined && y !== undefined) return fromBigInt(x + y);
  return fromFloat(addFloats(toFloat(a), toFloat(b)));
}

export function subtract(a: RegoNumber, b: RegoNumber): RegoNumber {
  if (typeof a === "number" && typeof b === "number") {
    const difference = a - b;
    if (Number.isSafeInteger(difference) && Number.isSafeInteger(a) && Number.isSafeInteger(b)) return difference;
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x !== undefined && y !== undefined) return fromBigInt(x - y);
  return fromFloat(addFloats(toFloat(a), negateFloat(toFloat(b))));
}

/** @throws {RegoLimitError} before a product of more than `maxDigits` digits is made. */
export function multiply(a: RegoNumber, b: RegoNumber, maxDigits: number = DEFAULT_LIMITS.maxNumberDigits): RegoNumber {
  if (typeof a === "number" && typeof b === "number") {
    const product = a * b;
    if (Number.isSafeInteger(product) && Number.isSafeInteger(a) && Number.isSafeInteger(b)) return product + 0;
  }
  if (digitsOf(a) + digitsOf(b) > maxDigits) {
    throw new RegoLimitError("maxNumberDigits", `Cannot multiply: the product has more than ${maxDigits} digits`);
  }
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x !== undefined && y !== undefined) return fromBigInt(x * y);
  return fromFloat(multiplyFloats(toFloat(a), toFloat(b)));
}

/** @throws {RegoBuiltinError} when `b` is zero. */
export function divide(a: RegoNumber, b: RegoNumber): RegoNumber {
  if (typeof a === "number" && typeof b === "number" && a !== 0 && b !== 0) {
    const quotient = a / b;
    if (Number.isSafeInteger(quotient) && isSmall(a) && isSmall(b)) return quotient;
  }
  const divisor = toFloat(b);
  if (divisor.mantissa === 0n) throw builtinError("divide by zero");
  return fromFloat(divideFloats(toFloat(a), divisor));
}

/** OPA divides integers exactly inside 32 bits only; there the double quotient of a multiple is exact too. */
function isSmall(n: number): boolean {
  return Number.isInteger(n) && n >= -(2 ** 31) && n < 2 ** 31;
}

/** The remainder with the sign of `a`. @throws {RegoBuiltinError} when `b` is zero or one is a fraction. */
export function remainder(a: RegoNumber, b: RegoNumber): RegoNumber {
  const x = toBigInt(a);
  const y = toBigInt(b);
  if (x === undefined || y === undefined) throw builtinError("modulo on floating-point number");
  if (y === 0n) throw builtinError("modulo by zero");
  return fromBigInt(x % y);
}

export function absolute(a: RegoNumber): RegoNumber {
  if (typeof a === "number" && Number.isSafeInteger(a)) return Math.abs(a);
  return fromFloat({ ...toFloat(a), negative: false });
}

/** Half away from zero. */
export function round(a: RegoNumber): RegoNumber {
  if (typeof a === "number" && Number.isSafeInteger(a)) return a;
  const float = toFloat(a);
  const half = floatFromDecimal({ digits: 5n, exponent: -1 }, float.negative);
  return fromWhole(truncateFloat(addFloats(float, half)));
}

export function ceil(a: RegoNumber): RegoNumber {
  if (typeof a === "number" && Number.isSafeInteger(a)) return a;
  const float = toFloat(a);
  const whole = truncateFloat(float);
  // As OPA: the sign is that of the whole part, so -0.5 goes up from 0 to 1.
  if (whole < 0n || isIntegerFloat(float)) return fromWhole(whole);
  return fromFloat(addFloats(floatFromBigInt(whole), floatFromBigInt(1n)));
}

export function floor(a: RegoNumber): RegoNumber {
  if (typeof a === "number" && Number.isSafeInteger(a)) return a;
  const float = toFloat(a);
  const whole = truncateFloat(float);
  // As OPA: the sign is that of the whole part, so -0.5 stays at 0.
  if (whole >= 0n || isIntegerFloat(float)) return fromWhole(whole);
  return fromFloat(addFloats(floatFromBigInt(whole), floatFromBigInt(-1n)));
}

function fromWhole(whole: bigint): RegoNumber {
  const text = wholeText(whole);
  return parseNumber(text) ?? new BigNumber(text);
}

/** An upper bound of the decimal digits of the integer part. */
function digitsOf(value: RegoNumber): number {
  if (typeof value === "number") return 17;
  const { digits, exponent } = value.decimal;
  return digits.toString(16).length * (4 / BITS_PER_DIGIT) + Math.max(0, exponent);
}

/** As OPA reads a number for floating-point arithmetic. */
export function toFloat(value: RegoNumber): BigFloat {
  return floatFromDecimal(decimalOf(value), formatNumber(value).startsWith("-"));
}

/** As OPA writes the result of floating-point arithmetic. */
export function fromFloat(value: BigFloat): RegoNumber {
  const text = floatText(value);
  return parseNumber(text) ?? new BigNumber(text);
}
