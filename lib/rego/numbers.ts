// SPDX-License-Identifier: Apache-2.0
/** Numbers as OPA keeps them: by their decimal text, compared exactly, never silently rounded to a double. */

/**
 * A number whose text a JavaScript number would not give back: a large integer, a long fraction, `1.0`, `1e3`, `-0`.
 *
 * Equality is by value, so compare with compareNumbers() and never with `===`.
 */
export class BigNumber {
  /** JSON text, as read or computed. */
  readonly text: string;
  #decimal: Decimal | undefined;
  #key: number | string | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The exact value. */
  get decimal(): Decimal {
    return this.#decimal ??= toDecimal(this.text);
  }

  /** Equal numbers have the same key; it is a JavaScript number when one has this value. */
  get key(): number | string {
    return this.#key ??= keyOfText(this.text, this.decimal);
  }

  /** For `JSON.stringify` of debugging output only; see formatJson(). */
  toString(): string {
    return this.text;
  }
}

/** Any Rego number; a JavaScript number stands for the shortest decimal that reads back as it. */
export type RegoNumber = number | BigNumber;

/** `digits * 10 ** exponent`, digits without trailing zeros (0 has exponent 0). */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** Largest binary exponent of a number that OPA accepts. */
const MAX_BINARY_EXPONENT = 1e5;

/** log2(10), to turn decimal into binary exponents. */
const BITS_PER_DIGIT = Math.log2(10);

/** JSON's grammar of a number, with the parts as groups. */
const NUMBER = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

export function isNumber(value: unknown): value is RegoNumber {
  return typeof value === "number" || value instanceof BigNumber;
}

/** Reads JSON number text; undefined when it is not one, or its exponent is out of OPA's range. */
export function parseNumber(text: string): RegoNumber | undefined {
  const short = Number(text);
  if (String(short) === text && (Number.isSafeInteger(short) || isPlainFraction(text, short))) return short;
  const match = NUMBER.exec(text);
  if (!match) return undefined;
  const exponent = match[4] === undefined ? 0 : Number(match[4]);
  if (exponent !== 0 && match[2] !== undefined) {
    const bits = (match[2].length + exponent) * BITS_PER_DIGIT;
    if (Math.abs(bits) > MAX_BINARY_EXPONENT) return undefined;
  }
  return new BigNumber(text);
}

/** A fraction written without exponent: the only one that JavaScript and Go spell alike. */
function isPlainFraction(text: string, short: number): boolean {
  return Number.isFinite(short) && !Number.isInteger(short) && !text.includes("e");
}

/** The number of a finite JavaScript number, as it comes from JSON.parse: written as Go would write the double. */
export function fromDouble(value: number): RegoNumber {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? new BigNumber("-0") : value;
  return parseNumber(String(value)) ?? new BigNumber(String(value).replace("e+", "e"));
}

/** The number of an integer of any size. */
export function fromBigInt(value: bigint): RegoNumber {
  return value <= MAX_SAFE && value >= -MAX_SAFE ? Number(value) : new BigNumber(value.toString());
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** The text OPA prints and JSON carries. */
export function formatNumber(value: RegoNumber): string {
  return typeof value === "number" ? String(value) : value.text;
}

/** The exact value. */
export function decimalOf(value: RegoNumber): Decimal {
  return typeof value === "number" ? toDecimal(String(value)) : value.decimal;
}

/** The nearest double; it may round. */
export function toDouble(value: RegoNumber): number {
  return typeof value === "number" ? value : Number(value.text);
}

/** Equal numbers, and only they, have equal keys. */
export function numberKey(value: RegoNumber): number | string {
  return typeof value === "number" ? value : value.key;
}

/** True for 1, 1.0, 1e3 and 10e-1. */
export function isInteger(value: RegoNumber): boolean {
  return typeof value === "number" ? Number.isInteger(value) : value.decimal.exponent >= 0;
}

/** The exact integer; undefined for a fraction. */
export function toBigInt(value: RegoNumber): bigint | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : undefined;
  const { digits, exponent } = value.decimal;
  return exponent < 0 ? undefined : digits * 10n ** BigInt(exponent);
}

/** How OPA writes an integer that fits a machine word: digits, with nothing but zeros after a point. */
const MACHINE_INTEGER = /^-?[0-9]+(?:\.0+)?$/;

const MAX_INT64 = (1n << 63n) - 1n;
const MIN_INT64 = -(1n << 63n);

/** The value as a 64-bit integer when its text is one (5, 5.0; not 5e0); undefined otherwise. */
export function int64Of(value: RegoNumber): bigint | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : undefined;
  if (!MACHINE_INTEGER.test(value.text)) return undefined;
  if (value.text.length > (value.text.startsWith("-") ? 20 : 19)) return undefined;
  const integer = toBigInt(value);
  return integer !== undefined && integer >= MIN_INT64 && integer <= MAX_INT64 ? integer : undefined;
}

/** -1, 0 or 1, by the exact values. */
export function compareNumbers(a: RegoNumber, b: RegoNumber): number {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : a > b ? 1 : 0;
  if (numberKey(a) === numberKey(b)) return 0;
  return compareDecimals(decimalOf(a), decimalOf(b));
}

function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.digits === 0n || b.digits === 0n || (a.digits < 0n) !== (b.digits < 0n)) {
    return a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0;
  }
  const negative = a.digits < 0n;
  // Compare magnitudes first: aligning 1e30000 with 1e-30000 would make a number of 60,000 digits.
  const sizeA = digitCount(a.digits) + a.exponent;
  const sizeB = digitCount(b.digits) + b.exponent;
  if (sizeA !== sizeB) return (sizeA < sizeB) !== negative ? -1 : 1;
  const shift = Math.min(a.exponent, b.exponent);
  const x = a.digits * 10n ** BigInt(a.exponent - shift);
  const y = b.digits * 10n ** BigInt(b.exponent - shift);
  return x < y ? -1 : x > y ? 1 : 0;
}

function digitCount(digits: bigint): number {
  return digits < 0n ? digits.toString().length - 1 : digits.toString().length;
}

function toDecimal(text: string): Decimal {
  const match = NUMBER.exec(text.replace("e+", "e"));
  if (!match) return { digits: 0n, exponent: 0 };
  const [, sign, whole = "0", fraction = "", exponentText = "0"] = match;
  const all = whole + fraction;
  let end = all.length;
  while (end > 1 && all.charCodeAt(end - 1) === 48) end--;
  const digits = BigInt(all.slice(0, end));
  if (digits === 0n) return { digits, exponent: 0 };
  return {
    digits: sign === "-" ? -digits : digits,
    exponent: Number(exponentText) - fraction.length + (all.length - end),
  };
}

/** A JavaScript number where one has exactly this value. */
function keyOfText(text: string, decimal: Decimal): number | string {
  const double = Number(text);
  if (Number.isSafeInteger(double) || (Number.isFinite(double) && !Number.isInteger(double))) {
    const near = toDecimal(String(double));
    if (near.digits === decimal.digits && near.exponent === decimal.exponent) return double === 0 ? 0 : double;
  }
  return `${decimal.digits}e${decimal.exponent}`;
}
