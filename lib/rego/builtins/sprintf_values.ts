// SPDX-License-Identifier: Apache-2.0
/** One value as a verb of Go's fmt writes it (package fmt, "Printing"). */

import { formatFloat, SHORTEST } from "./go_float.ts";
import { codePointCount, quote, quotedCharacter, toBytes } from "./text.ts";

/** An argument: `int64` and `float64` stand for numbers of the machine, `bigInt` for integers beyond them. */
export type FormatArgument =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int64" | "*big.Int"; readonly value: bigint }
  | { readonly type: "float64"; readonly value: number };

/** The flags, width and precision of a directive. */
export interface Field {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%+v` and `%#v`: the flag means another notation instead of a sign or a prefix. */
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

export function emptyField(): Field {
  return {
    minus: false,
    plus: false,
    sharp: false,
    space: false,
    zero: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  };
}

/** The value as `verb` writes it; a verb that does not fit is named together with the value. */
export function formatted(argument: FormatArgument, verb: string, field: Field): string {
  if (verb === "T") return padded(truncated(argument.type, field), field);
  switch (argument.type) {
    case "string":
      return formatString(argument.value, verb, field);
    case "int64":
      return formatInteger(argument.value, verb, field);
    case "*big.Int":
      return formatBig(argument.value, verb, field);
    case "float64":
      return formatDouble(argument.value, verb, field);
  }
}

function badVerb(argument: FormatArgument, verb: string, field: Field): string {
  return `%!${verb}(${argument.type}=${formatted(argument, "v", field)})`;
}

function padded(text: string, field: Field, zero = field.zero): string {
  const missing = (field.width ?? 0) - codePointCount(text);
  if (missing <= 0) return text;
  return field.minus ? text + " ".repeat(missing) : (zero ? "0" : " ").repeat(missing) + text;
}

function truncated(text: string, field: Field): string {
  if (field.precision === undefined || text.length <= field.precision) return text;
  let kept = 0;
  for (let left = field.precision; left > 0 && kept < text.length; left--) {
    kept += String.fromCodePoint(text.codePointAt(kept) ?? 0).length;
  }
  return text.slice(0, kept);
}

function formatString(value: string, verb: string, field: Field): string {
  switch (verb) {
    case "v":
      return field.sharpV ? padded(quoted(value, field), field) : padded(truncated(value, field), field);
    case "s":
      return padded(truncated(value, field), field);
    case "q":
      return padded(quoted(value, field), field);
    case "x":
    case "X":
      return hexString(value, verb, field);
    default:
      return badVerb({ type: "string", value }, verb, field);
  }
}

function quoted(value: string, field: Field): string {
  const text = truncated(value, field);
  // Backquotes cannot hold a backquote, a control character other than tab, or a byte order mark.
  // deno-lint-ignore no-control-regex
  if (field.sharp && text.isWellFormed() && !/[`\u0000-\u0008\u000a-\u001f\u007f\ufeff]/.test(text)) {
    return `\`${text}\``;
  }
  return quote(text, field.plus);
}

function hexString(value: string, verb: "x" | "X", field: Field): string {
  let bytes = toBytes(value);
  if (field.precision !== undefined) bytes = bytes.subarray(0, field.precision);
  const prefix = field.sharp ? `0${verb}` : "";
  const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  if (pairs.length === 0) return padded("", field);
  const body = field.space
    ? pairs.map((pair) => prefix + cased(pair, verb)).join(" ")
    : prefix + cased(pairs.join(""), verb);
  return padded(body, field);
}

function cased(text: string, verb: string): string {
  return verb === "X" ? text.toUpperCase() : text;
}

const BASES = new Map([["v", 10], ["d", 10], ["b", 2], ["o", 8], ["O", 8], ["x", 16], ["X", 16]]);

function formatInteger(value: bigint, verb: string, field: Field): string {
  const base = BASES.get(verb);
  if (base !== undefined) return integerDigits(value, base, verb, field);
  const point = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn) ? Number(value) : 0xfffd;
  const character = String.fromCodePoint(point);
  switch (verb) {
    case "c":
      return padded(character, field);
    case "q":
      return padded(`'${quotedCharacter(character, "'", field.plus)}'`, field);
    case "U":
      return padded(unicode(value, field), field, false);
    default:
      return badVerb({ type: "int64", value }, verb, field);
  }
}

function unicode(value: bigint, field: Field): string {
  const digits = BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(Math.max(field.precision ?? 4, 4), "0");
  if (!field.sharp || value < 0n || value > 0x10ffffn) return `U+${digits}`;
  const character = String.fromCodePoint(Number(value));
  const printable = quotedCharacter(character, "", false) === character || character === "\\" || character === "'";
  return printable ? `U+${digits} '${character}'` : `U+${digits}`;
}

function integerDigits(value: bigint, base: number, verb: string, field: Field): string {
  const magnitude = value < 0n ? -value : value;
  if (field.precision === 0 && magnitude === 0n) return padded("", field, false);
  const sign = value < 0n ? "-" : field.plus ? "+" : field.space ? " " : "";
  let least = field.precision ?? 0;
  if (field.precision === undefined && field.zero && !field.minus && field.width !== undefined) {
    least = field.width - sign.length;
  }
  let digits = cased(magnitude.toString(base), verb).padStart(least, "0");
  if (field.sharp) {
    if (base === 2) digits = `0b${digits}`;
    else if (base === 8 && !digits.startsWith("0")) digits = `0${digits}`;
    else if (base === 16) digits = `0${verb}${digits}`;
  }
  if (verb === "O") digits = `0o${digits}`;
  return padded(sign + digits, field, false);
}

/** Integers beyond 64 bits format themselves (math/big, Int.Format). */
function formatBig(value: bigint, verb: string, field: Field): string {
  const base = verb === "s" ? 10 : BASES.get(verb);
  if (base === undefined) return `%!${verb}(big.Int=${value})`;
  const sign = value < 0n ? "-" : field.plus ? "+" : field.space ? " " : "";
  const sharp = field.sharp || field.sharpV;
  const prefix = verb === "O"
    ? "0o"
    : !sharp
    ? ""
    : verb === "b"
    ? "0b"
    : verb === "o"
    ? "0"
    : base === 16
    ? `0${verb}`
    : "";
  const digits = cased((value < 0n ? -value : value).toString(base), verb).padStart(field.precision ?? 0, "0");
  const missing = (field.width ?? 0) - sign.length - prefix.length - digits.length;
  if (missing <= 0) return sign + prefix + digits;
  if (field.minus) return sign + prefix + digits + " ".repeat(missing);
  if (field.zero && field.precision === undefined) return sign + prefix + "0".repeat(missing) + digits;
  return " ".repeat(missing) + sign + prefix + digits;
}

function formatDouble(value: number, verb: string, field: Field): string {
  switch (verb) {
    case "v":
    case "g":
    case "G":
      return doubleText(value, verb, field, SHORTEST);
    case "b":
    case "x":
    case "X":
      return doubleText(value, verb, field, SHORTEST);
    case "e":
    case "E":
    case "f":
    case "F":
      return doubleText(value, verb, field, 6);
    default:
      return badVerb({ type: "float64", value }, verb, field);
  }
}

function doubleText(
  value: number,
  verb: "v" | "g" | "G" | "b" | "x" | "X" | "e" | "E" | "f" | "F",
  field: Field,
  usual: number,
): string {
  const precision = field.precision ?? usual;
  const format = verb === "v" ? "g" : verb === "F" ? "f" : verb;
  const text = formatFloat(value, format, precision);
  const negative = text.startsWith("-");
  let body = negative ? text.slice(1) : text;
  if (field.sharp && verb !== "b") body = withPoint(body, verb, precision);
  const sign = negative ? "-" : field.plus ? "+" : field.space ? " " : "";
  const missing = (field.width ?? 0) - sign.length - body.length;
  if (field.zero && !field.minus && missing > 0) return sign + "0".repeat(missing) + body;
  return padded(sign + body, field, false);
}

/** The `#` flag: always a decimal point, and for %g the trailing zeros as well. */
function withPoint(body: string, verb: string, precision: number): string {
  const split = verb === "x" || verb === "X" ? body.search(/[pP]/) : body.search(/[eE]/);
  const mantissa = split < 0 ? body : body.slice(0, split);
  const tail = split < 0 ? "" : body.slice(split);
  let wanted = verb === "v" || verb === "g" || verb === "G" || verb === "x"
    ? (precision === SHORTEST ? 6 : precision)
    : 0;
  let seen = false;
  for (const character of mantissa) {
    if (character === ".") continue;
    if (character !== "0") seen = true;
    if (seen) wanted--;
  }
  if (mantissa.includes(".")) return mantissa + "0".repeat(Math.max(wanted, 0)) + tail;
  if (mantissa === "0") wanted--;
  return `${mantissa}.${"0".repeat(Math.max(wanted, 0))}${tail}`;
}
