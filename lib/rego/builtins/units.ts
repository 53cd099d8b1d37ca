// SPDX-License-Identifier: Apache-2.0
/** units.parse and units.parse_bytes: amounts such as "10Gi" or "1.5MB" as numbers. */

import { BigNumber, decimalOf, fromBigInt, parseNumber, type RegoNumber } from "../numbers.ts";
import { floatFromBigInt, floatFromDecimal, multiplyFloats, truncateFloat } from "../big_float.ts";
import { type BuiltinContext, builtinError, family, numberType, stringType } from "./builtin.ts";
import { chargeText, reserveDigits, stringOperand } from "./operands.ts";

export const units = family(
  {
    name: "units.parse",
    args: [stringType],
    result: numberType,
    call(context, args) {
      const { amount, unit } = amountOperand(context, "units.parse", stringOperand(args, 1).replaceAll('"', ""), "");
      const spelled = unit.slice(0, 1) + unit.slice(1).toLowerCase();
      if (spelled === "m") return thousandth(amount);
      const factor = SI_UNITS.get(spelled);
      if (factor === undefined) throw builtinError(`units.parse: unit ${spelled} not recognized`);
      return exactProduct(amount, factor);
    },
  },
  {
    name: "units.parse_bytes",
    args: [stringType],
    result: numberType,
    call(context, args) {
      const text = stringOperand(args, 1).toLowerCase().replaceAll('"', "");
      const { amount, unit } = amountOperand(context, "units.parse_bytes", text, "byte ");
      const factor = BYTE_UNITS.get(unit);
      if (factor === undefined) throw builtinError(`units.parse_bytes: byte unit ${unit} not recognized`);
      const decimal = decimalOf(amount);
      const float = floatFromDecimal(decimal, decimal.digits < 0n);
      return fromBigInt(truncateFloat(multiplyFloats(float, floatFromBigInt(factor))));
    },
  },
);

const LETTERS = ["k", "m", "g", "t", "p", "e"];

/** Decimal (1000) and binary (1024) units; a lone small "m" is a thousandth, as in Kubernetes quantities. */
const SI_UNITS: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ...LETTERS.flatMap((letter, index): [string, bigint][] => {
    const [decimal, binary] = [1000n ** BigInt(index + 1), 1024n ** BigInt(index + 1)];
    const capital = letter.toUpperCase();
    const both: [string, bigint][] = [[capital, decimal], [`${letter}i`, binary], [`${capital}i`, binary]];
    return letter === "m" ? both : [[letter, decimal], ...both];
  }),
]);

const BYTE_UNITS: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ...LETTERS.flatMap((letter, index): [string, bigint][] => {
    const [decimal, binary] = [1000n ** BigInt(index + 1), 1024n ** BigInt(index + 1)];
    return [[letter, decimal], [`${letter}b`, decimal], [`${letter}i`, binary], [`${letter}ib`, binary]];
  }),
]);

/** Digits of an exponent that OPA still reads. */
const MAX_EXPONENT_DIGITS = 6;

/** Digits after the point that a result with a fraction keeps. */
const FRACTION_DIGITS = 10;

function amountOperand(
  context: BuiltinContext,
  name: string,
  text: string,
  what: string,
): { amount: RegoNumber; unit: string } {
  chargeText(context, text.length);
  if (text.includes(" ")) throw builtinError(`${name}: spaces not allowed in resource strings`);
  const match = /^((?:[0-9.+-]|[eE](?=[0-9+-])[+-]?)*)(.*)$/su.exec(text);
  const [, number = "", unit = ""] = match ?? [];
  const exponent = /[eE][+-]?([0-9]+)/.exec(number)?.[1] ?? "";
  if (exponent.length > MAX_EXPONENT_DIGITS) throw builtinError(`${name}: exponent too large`);
  if (number === "") throw builtinError(`${name}: no ${what}amount provided`);
  const parts = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/.exec(number);
  const [, sign, whole = "", fraction = "", power = "0"] = parts ?? [];
  if (!parts || whole + fraction === "") throw builtinError(`${name}: could not parse ${what}amount to a number`);
  reserveDigits(context, number.length + Math.abs(Number(power)));
  const json = `${sign === "-" ? "-" : ""}${whole.replace(/^0+(?=[0-9])/, "") || "0"}.${fraction || "0"}e${power}`;
  return { amount: parseNumber(json) ?? new BigNumber(json), unit };
}

function thousandth(amount: RegoNumber): RegoNumber {
  // OPA multiplies by the double nearest to 0.001; ten digits after the point do not show the difference.
  const { digits, exponent } = decimalOf(amount);
  const double = 1152921504606847n;
  return rational(digits * double, exponent, 1n << 60n);
}

function exactProduct(amount: RegoNumber, factor: bigint): RegoNumber {
  const { digits, exponent } = decimalOf(amount);
  return rational(digits * factor, exponent, 1n);
}

/** numerator · 10^exponent / divisor, exact when whole, else rounded half away from zero to ten digits. */
function rational(numerator: bigint, exponent: number, divisor: bigint): RegoNumber {
  const top = exponent > 0 ? numerator * 10n ** BigInt(exponent) : numerator;
  const bottom = exponent < 0 ? divisor * 10n ** BigInt(-exponent) : divisor;
  if (top % bottom === 0n) return fromBigInt(top / bottom);
  const magnitude = top < 0n ? -top : top;
  const scaled = (magnitude * 10n ** BigInt(FRACTION_DIGITS) * 2n + bottom) / (bottom * 2n);
  const text = scaled.toString().padStart(FRACTION_DIGITS + 1, "0");
  const decimal = `${top < 0n ? "-" : ""}${text.slice(0, -FRACTION_DIGITS)}.${text.slice(-FRACTION_DIGITS)}`;
  return parseNumber(decimal) ?? new BigNumber(decimal);
}
