// SPDX-License-Identifier: Apache-2.0
/** Binary floating point with a 64-bit mantissa, rounded to nearest even: what OPA's arithmetic on fractions uses. */

import type { Decimal } from "./numbers.ts";

/** `±mantissa * 2 ** exponent`; a mantissa of 0 is zero, with its sign. */
export interface BigFloat {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Bits of a mantissa: the default of Go's math/big.Float when it reads text. */
const PRECISION = 64;

/** Go reads a decimal exponent with this many bits for the power of five, and 64 more for its squares. */
const POWER_PRECISION = 128;

/** Largest power of five that Go has in a table. */
const EXACT_POWER = 27;

/** Reads a decimal as Go's big.Float does. */
export function floatFromDecimal(decimal: Decimal, negative: boolean): BigFloat {
  const magnitude = decimal.digits < 0n ? -decimal.digits : decimal.digits;
  if (magnitude === 0n) return { negative, mantissa: 0n, exponent: 0 };
  const exact = { negative, mantissa: magnitude, exponent: decimal.exponent };
  if (decimal.exponent === 0) return round(exact, PRECISION, false);
  const power = powerOfFive(Math.abs(decimal.exponent));
  return decimal.exponent > 0 ? multiply(exact, power, PRECISION) : divide(exact, power, PRECISION);
}

/** Exactly, or rounded where Go rounds, so that very large exponents give the same bits. */
function powerOfFive(n: number): BigFloat {
  const first = Math.min(n, EXACT_POWER);
  let result: BigFloat = { negative: false, mantissa: 5n ** BigInt(first), exponent: 0 };
  let square: BigFloat = { negative: false, mantissa: 5n, exponent: 0 };
  for (let rest = n - first; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(result, square, POWER_PRECISION);
    square = multiply(square, square, POWER_PRECISION + 64);
  }
  return result;
}

export function addFloats(a: BigFloat, b: BigFloat): BigFloat {
  if (a.mantissa === 0n && b.mantissa === 0n) return { ...a, negative: a.negative && b.negative };
  if (b.mantissa === 0n) return round(a, PRECISION, false);
  if (a.mantissa === 0n) return round(b, PRECISION, false);
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = signed(a) * (1n << BigInt(a.exponent - exponent)) + signed(b) * (1n << BigInt(b.exponent - exponent));
  return round({ negative: sum < 0n, mantissa: sum < 0n ? -sum : sum, exponent }, PRECISION, false);
}

export function negateFloat(a: BigFloat): BigFloat {
  return { ...a, negative: !a.negative };
}

export function multiplyFloats(a: BigFloat, b: BigFloat): BigFloat {
  return multiply(a, b, PRECISION);
}

/** The quotient; the divisor must not be zero. */
export function divideFloats(a: BigFloat, b: BigFloat): BigFloat {
  return divide(a, b, PRECISION);
}

function multiply(a: BigFloat, b: BigFloat, precision: number): BigFloat {
  const product = { negative: a.negative !== b.negative, mantissa: a.mantissa * b.mantissa };
  return round({ ...product, exponent: a.exponent + b.exponent }, precision, false);
}

function divide(a: BigFloat, b: BigFloat, precision: number): BigFloat {
  const negative = a.negative !== b.negative;
  if (a.mantissa === 0n) return { negative, mantissa: 0n, exponent: 0 };
  const shift = Math.max(0, precision + 2 + bitLength(b.mantissa) - bitLength(a.mantissa));
  const dividend = a.mantissa << BigInt(shift);
  const mantissa = dividend / b.mantissa;
  const inexact = mantissa * b.mantissa !== dividend;
  return round({ negative, mantissa, exponent: a.exponent - b.exponent - shift }, precision, inexact);
}

/** To `precision` bits, half to even; `sticky`: the true value is a little larger than the mantissa says. */
function round(value: BigFloat, precision: number, sticky: boolean): BigFloat {
  const excess = bitLength(value.mantissa) - precision;
  if (excess <= 0) return value;
  const unit = 1n << BigInt(excess);
  const rest = value.mantissa & (unit - 1n);
  const half = unit >> 1n;
  let mantissa = value.mantissa >> BigInt(excess);
  if (rest > half || (rest === half && (sticky || (mantissa & 1n) === 1n))) mantissa += 1n;
  return { negative: value.negative, mantissa, exponent: value.exponent + excess };
}

/** The integer part, towards zero. */
export function truncateFloat(a: BigFloat): bigint {
  const magnitude = a.exponent >= 0 ? a.mantissa << BigInt(a.exponent) : a.mantissa >> BigInt(-a.exponent);
  return a.negative ? -magnitude : magnitude;
}

export function isIntegerFloat(a: BigFloat): boolean {
  if (a.mantissa === 0n || a.exponent >= 0) return true;
  return (a.mantissa & ((1n << BigInt(-a.exponent)) - 1n)) === 0n;
}

export function floatFromBigInt(value: bigint, negativeZero = false): BigFloat {
  const negative = value < 0n || (value === 0n && negativeZero);
  return round({ negative, mantissa: value < 0n ? -value : value, exponent: 0 }, PRECISION, false);
}

/** A whole number as Go writes the float it sets from a big integer, which takes as many bits as that has. */
export function wholeText(whole: bigint): string {
  const mantissa = whole < 0n ? -whole : whole;
  return floatText({ negative: whole < 0n, mantissa, exponent: 0 }, Math.max(PRECISION, bitLength(mantissa)));
}

function signed(a: BigFloat): bigint {
  return a.negative ? -a.mantissa : a.mantissa;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(16).length * 4 - LEADING_ZEROS[Number.parseInt(value.toString(16)[0]!, 16)]!;
}

/** Of one hexadecimal digit. */
const LEADING_ZEROS = [4, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];

/** Decimal digits without trailing zeros; the value is `0.digits * 10 ** point`. */
interface Digits {
  digits: string;
  point: number;
}

/** The shortest text that reads back as the same 64 bits, in Go's spelling: `%f` for integers, `%g` otherwise. */
export function floatText(a: BigFloat, precision: number = PRECISION): string {
  const sign = a.negative ? "-" : "";
  if (a.mantissa === 0n) return sign + "0";
  const { digits, point } = shortestDigits(a, precision);
  if (isIntegerFloat(a)) return sign + digits.padEnd(point, "0");
  const exponent = point - 1;
  // Go's %g changes to an exponent below 1e-4 and, for the shortest digits, from 1e6.

  if (exponent < -4 || exponent >= 6) {
    const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
    const size = Math.abs(exponent).toString().padStart(2, "0");
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** As Go's math/big does it: the first digit at which neither neighbour could be meant. */
function shortestDigits(a: BigFloat, precision: number): Digits {
  const shift = BigInt(precision + 1 - bitLength(a.mantissa));
  const mantissa = shift >= 0n ? a.mantissa << shift : a.mantissa >> -shift;
  const exponent = a.exponent - Number(shift);
  const value = toDigits(mantissa, exponent);
  const lower = toDigits(mantissa - 1n, exponent);
  const upper = toDigits(mantissa + 1n, exponent);
  const inclusive = (mantissa & 2n) === 0n;
  for (let i = 0; i < value.digits.length; i++) {
    const digit = value.digits[i] as string;
    const low = lower.digits[i] ?? "0";
    const up = upper.digits[i] ?? "0";
    const canGoDown = low !== digit || (inclusive && i + 1 === lower.digits.length);
    const canGoUp = digit !== up &&
      (inclusive || digit.charCodeAt(0) + 1 < up.charCodeAt(0) || i + 1 < upper.digits.length);
    if (canGoDown && canGoUp) return shouldRoundUp(value.digits, i + 1) ? roundUp(value, i + 1) : cut(value, i + 1);
    if (canGoDown) return cut(value, i + 1);
    if (canGoUp) return roundUp(value, i + 1);
  }
  return value;
}

function toDigits(mantissa: bigint, exponent: number): Digits {
  // 2^-n is 5^n / 10^n, so the digits are exact.
  const text = (exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent)).toString();
  const point = text.length + Math.min(exponent, 0);
  return { digits: text.replace(/0+$/, ""), point };
}

function shouldRoundUp(digits: string, count: number): boolean {
  if (count >= digits.length) return false;
  const next = digits.charCodeAt(count) - 48;
  if (next === 5 && count + 1 === digits.length) return count > 0 && (digits.charCodeAt(count - 1) & 1) === 1;
  return next >= 5;
}

function cut(value: Digits, count: number): Digits {
  return count >= value.digits.length
    ? value
    : { digits: value.digits.slice(0, count).replace(/0+$/, ""), point: value.point };
}

function roundUp(value: Digits, count: number): Digits {
  if (count >= value.digits.length) return value;
  let i = count;
  while (i > 0 && value.digits[i - 1] === "9") i--;
  if (i === 0) return { digits: "1", point: value.point + 1 };
  return { digits: value.digits.slice(0, i - 1) + (Number(value.digits[i - 1]) + 1), point: value.point };
}
