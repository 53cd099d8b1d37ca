// SPDX-License-Identifier: Apache-2.0
/** Reads the operands of a builtin, with the errors OPA gives for a wrong one. */

import { RegoLimitError } from "../limits.ts";
import { BigNumber, int64Of, isInteger, isNumber, type RegoNumber, toBigInt } from "../numbers.ts";
import { isArray, RegoObject, RegoSet, typeName, type Value } from "../values.ts";
import { type BuiltinContext, operandError, RegoBuiltinError } from "./builtin.ts";

/** What went wrong when operand `position` (from 1) should have been one of `expected`. */
export function typeError(position: number, got: Value, ...expected: string[]): RegoBuiltinError {
  const wanted = expected.length === 1 ? expected[0] : `one of {${expected.join(", ")}}`;
  return operandError(position, `must be ${wanted} but got ${typeName(got)}`);
}

/** What went wrong when an element of the collection `composite` should have been one of `expected`. */
export function elementError(position: number, composite: Value, got: Value, ...expected: string[]): RegoBuiltinError {
  const type = typeName(composite);
  const wanted = expected.length === 1 ? `${expected[0]}s` : `(any of) {${expected.join(", ")}}`;
  return operandError(position, `must be ${type} of ${wanted} but got ${type} containing ${typeName(got)}`);
}

export function stringOperand(args: readonly Value[], position: number): string {
  const value = args[position - 1] as Value;
  if (typeof value !== "string") throw typeError(position, value, "string");
  return value;
}

export function numberOperand(args: readonly Value[], position: number): RegoNumber {
  const value = args[position - 1] as Value;
  if (!isNumber(value)) throw typeError(position, value, "number");
  return value;
}

export function arrayOperand(args: readonly Value[], position: number): readonly Value[] {
  const value = args[position - 1] as Value;
  if (!isArray(value)) throw typeError(position, value, "array");
  return value;
}

export function objectOperand(args: readonly Value[], position: number): RegoObject {
  const value = args[position - 1] as Value;
  if (!(value instanceof RegoObject)) throw typeError(position, value, "object");
  return value;
}

export function setOperand(args: readonly Value[], position: number): RegoSet {
  const value = args[position - 1] as Value;
  if (!(value instanceof RegoSet)) throw typeError(position, value, "set");
  return value;
}

/** What every `is_valid` answers: whether reading ends without an error of the builtin, whatever the operand is. */
export function succeeds(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof RegoBuiltinError) return false;
    throw error;
  }
}

/** The elements of an array or a set operand, in order. */
export function collectionOperand(args: readonly Value[], position: number): readonly Value[] {
  const value = args[position - 1] as Value;
  if (isArray(value)) return value;
  if (value instanceof RegoSet) return value.values();
  throw typeError(position, value, "set", "array");
}

/** The strings of an array or a set operand. */
export function stringsOperand(args: readonly Value[], position: number): readonly string[] {
  const composite = args[position - 1] as Value;
  const values = collectionOperand(args, position);
  for (const value of values) {
    if (typeof value !== "string") throw elementError(position, composite, value, "string");
  }
  return values as readonly string[];
}

/** A 64-bit integer operand as a JavaScript number; beyond 2^53 it is only used to be compared with a length. */
export function intOperand(args: readonly Value[], position: number): number {
  const value = numberOperand(args, position);
  if (typeof value === "number" && Number.isInteger(value)) return value;
  const integer = int64Of(value);
  if (integer === undefined) throw operandError(position, "must be integer number but got floating-point number");
  return Number(integer);
}

/** An integer operand of any size; 5.0 and 1e3 are integers here. */
export function bigIntOperand(context: BuiltinContext, args: readonly Value[], position: number): bigint {
  const value = args[position - 1] as Value;
  if (!isNumber(value)) throw typeError(position, value, "integer");
  if (!isInteger(value)) throw operandError(position, "must be integer number but got floating-point number");
  if (value instanceof BigNumber) {
    const { digits, exponent } = value.decimal;
    reserveDigits(context, exponent + (digits === 0n ? 1 : digits.toString().length));
  }
  return toBigInt(value) as bigint;
}

/** Refuses a string of `length` UTF-16 units before it is made, and charges for making it. */
export function reserveText(context: BuiltinContext, length: number): void {
  if (length > context.limits.maxStringLength) {
    throw new RegoLimitError(
      "maxStringLength",
      `Cannot make a string of ${length} characters: the limit is ${context.limits.maxStringLength}`,
    );
  }
  if (length > CHARACTERS_PER_STEP) context.charge(Math.floor(length / CHARACTERS_PER_STEP));
}

/** Refuses a collection of `count` elements before it is made, and charges for making it. */
export function reserveElements(context: BuiltinContext, count: number): void {
  if (count > context.limits.maxElements) {
    throw new RegoLimitError(
      "maxElements",
      `Cannot make a collection of ${count} elements: the limit is ${context.limits.maxElements}`,
    );
  }
  if (count > 0) context.charge(count);
}

/** Refuses a number of `digits` decimal digits before it is made. */
export function reserveDigits(context: BuiltinContext, digits: number): void {
  if (digits > context.limits.maxNumberDigits) {
    throw new RegoLimitError(
      "maxNumberDigits",
      `Cannot make a number of ${digits} digits: the limit is ${context.limits.maxNumberDigits}`,
    );
  }
  if (digits > CHARACTERS_PER_STEP) context.charge(Math.floor(digits / CHARACTERS_PER_STEP));
}

/** Characters that are copied, scanned or hashed for the price of one step. */
const CHARACTERS_PER_STEP = 64;

/** Charges for reading `length` characters. */
export function chargeText(context: BuiltinContext, length: number): void {
  if (length > CHARACTERS_PER_STEP) context.charge(Math.floor(length / CHARACTERS_PER_STEP));
}

/** Decimal exponent up to which arithmetic on a number is cheap. */
const CHEAP_EXPONENT = 400;

/** Steps that each further power of ten costs: the digits of both ends are written out to round a result. */
const STEPS_PER_EXPONENT = 16;

/** Charges for arithmetic on a number that is very large or very close to zero. */
export function chargeNumber(context: BuiltinContext, value: RegoNumber): void {
  if (typeof value === "number") return;
  const size = Math.abs(value.decimal.exponent);
  if (size > CHEAP_EXPONENT) context.charge(size * STEPS_PER_EXPONENT);
}
