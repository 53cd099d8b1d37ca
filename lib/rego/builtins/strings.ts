// SPDX-License-Identifier: Apache-2.0
/** Strings looked at and cut: case, search, substrings, splitting, trimming, joining. */

import { isArray, RegoSet, type Value } from "../values.ts";
import { type RegoNumber, toBigInt } from "../numbers.ts";
import { toFloat } from "../arithmetic.ts";
import { truncateFloat } from "../big_float.ts";
import {
  arrayOrSetType,
  arrayType,
  booleanType,
  type Builtin,
  type BuiltinContext,
  builtinError,
  family,
  numberType,
  operandError,
  orType,
  stringType,
  type Type,
} from "./builtin.ts";
import {
  bigIntOperand,
  chargeText,
  elementError,
  intOperand,
  numberOperand,
  reserveDigits,
  reserveElements,
  reserveText,
  stringOperand,
  stringsOperand,
  typeError,
} from "./operands.ts";
import { isAscii } from "./text.ts";

/** A function of two strings, charged for reading them. */
function ofTwo(name: string, result: Type, call: (a: string, b: string, context: BuiltinContext) => Value): Builtin {
  return {
    name,
    args: [stringType, stringType],
    result,
    call(context, args) {
      const a = stringOperand(args, 1);
      const b = stringOperand(args, 2);
      chargeText(context, a.length + b.length);
      return call(a, b, context);
    },
  };
}

function ofOne(name: string, call: (text: string, context: BuiltinContext) => Value): Builtin {
  return {
    name,
    args: [stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      reserveText(context, text.length);
      return call(text, context);
    },
  };
}

export const strings = family(
  ofTwo("contains", booleanType, (text, part) => text.includes(part)),
  ofTwo("startswith", booleanType, (text, part) => text.startsWith(part)),
  ofTwo("endswith", booleanType, (text, part) => text.endsWith(part)),
  ofTwo("strings.count", numberType, (text, part) => countOf(text, part)),
  ofTwo("indexof", numberType, (text, part) => {
    if (part === "") throw builtinError("empty search character");
    const index = text.indexOf(part);
    return index <= 0 || isAscii(text) ? index : pointsBefore(text, index);
  }),
  ofTwo("indexof_n", arrayType(numberType), (text, part, context) => {
    if (part === "") throw builtinError("empty search character");
    const found: number[] = [];
    let points = 0;
    let counted = 0;
    for (let index = text.indexOf(part); index >= 0; index = text.indexOf(part, index + 1)) {
      points += pointsBefore(text, index, counted);
      counted = index;
      found.push(points);
      if (found.length % 1024 === 0) reserveElements(context, found.length);
    }
    return found;
  }),
  ofOne("lower", (text) => mapCase(text, (character) => character.toLowerCase())),
  ofOne("upper", (text) => mapCase(text, (character) => character.toUpperCase())),
  ofOne("strings.reverse", (text) => [...text].reverse().join("")),
  ofOne("trim_space", (text) => trimCharacters(text, isSpace, true, true)),
  ofTwo("trim", stringType, (text, cut) => trimCharacters(text, isOneOf(cut), true, true)),
  ofTwo("trim_left", stringType, (text, cut) => trimCharacters(text, isOneOf(cut), true, false)),
  ofTwo("trim_right", stringType, (text, cut) => trimCharacters(text, isOneOf(cut), false, true)),
  ofTwo("trim_prefix", stringType, (text, part) => text.startsWith(part) ? text.slice(part.length) : text),
  ofTwo(
    "trim_suffix",
    stringType,
    (text, part) => part !== "" && text.endsWith(part) ? text.slice(0, -part.length) : text,
  ),
  ofTwo("split", arrayType(stringType), (text, separator, context) => split(context, text, separator)),
  {
    name: "strings.split_n",
    args: [stringType, stringType, numberType],
    result: arrayType(stringType),
    call(context, args) {
      const text = stringOperand(args, 1);
      const parts = split(context, text, stringOperand(args, 2));
      const count = intOperand(args, 3);
      return count >= 0 ? parts.slice(0, count) : parts.slice(Math.max(parts.length + count, 0));
    },
  },
  {
    name: "substring",
    args: [stringType, numberType, numberType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      const offset = intOperand(args, 2);
      const length = intOperand(args, 3);
      if (offset < 0) throw builtinError("negative offset");
      reserveText(context, text.length);
      const units = isAscii(text) ? text : undefined;
      if (units !== undefined) return length < 0 ? units.slice(offset) : units.slice(offset, offset + length);
      const points = [...text];
      return (length < 0 ? points.slice(offset) : points.slice(offset, offset + length)).join("");
    },
  },
  {
    name: "concat",
    args: [stringType, arrayOrSetType(stringType)],
    result: stringType,
    call(context, args) {
      const separator = stringOperand(args, 1);
      const composite = args[1] as Value;
      if (!isArray(composite) && !(composite instanceof RegoSet)) throw typeError(2, composite, "set", "array");
      const parts = isArray(composite) ? composite : composite.values();
      let length = separator.length * Math.max(parts.length - 1, 0);
      for (const part of parts) {
        if (typeof part !== "string") throw elementError(2, composite, part, "string");
        length += part.length;
      }
      context.charge(parts.length);
      reserveText(context, length);
      return parts.join(separator);
    },
  },
  {
    name: "format_int",
    args: [numberType, numberType],
    result: stringType,
    call(context, args) {
      const number = numberOperand(args, 1);
      const base = numberOperand(args, 2);
      if (base !== 2 && base !== 8 && base !== 10 && base !== 16) {
        throw operandError(2, "must be one of {2, 8, 10, 16}");
      }
      return wholePart(context, args, number).toString(base);
    },
  },
  affixMatch("strings.any_prefix_match", (text, affix) => text.startsWith(affix)),
  affixMatch("strings.any_suffix_match", (text, affix) => text.endsWith(affix)),
);

/** The integer a number is, or its float cut towards zero. */
function wholePart(context: BuiltinContext, args: readonly Value[], number: RegoNumber): bigint {
  if (typeof number !== "number") {
    const { exponent } = number.decimal;
    if (exponent > 0) reserveDigits(context, exponent + number.text.length);
    // Only plain digits are taken exactly; an exponent goes through a float, as in OPA.
    if (/^-?\d+$/.test(number.text)) return bigIntOperand(context, args, 1);
    return truncateFloat(toFloat(number));
  }
  return toBigInt(number) ?? truncateFloat(toFloat(number));
}

function affixMatch(name: string, matches: (text: string, affix: string) => boolean): Builtin {
  const type = orType(stringType, arrayType(stringType), { kind: "set", of: stringType });
  return {
    name,
    args: [type, type],
    result: booleanType,
    call(context, args) {
      const texts = textsOperand(args, 1);
      const affixes = textsOperand(args, 2);
      for (const text of texts) {
        context.charge(affixes.length);
        for (const affix of affixes) if (matches(text, affix)) return true;
      }
      return false;
    },
  };
}

function textsOperand(args: readonly Value[], position: number): readonly string[] {
  const value = args[position - 1] as Value;
  if (typeof value === "string") return [value];
  if (!isArray(value) && !(value instanceof RegoSet)) throw typeError(position, value, "string", "set", "array");
  return stringsOperand(args, position);
}

/** Occurrences that do not overlap; the empty string is found before, between and after code points. */
function countOf(text: string, part: string): number {
  if (part === "") return pointsBefore(text, text.length) + 1;
  let count = 0;
  for (let index = text.indexOf(part); index >= 0; index = text.indexOf(part, index + part.length)) count++;
  return count;
}

/** Code points of `text` between two UTF-16 positions. */
function pointsBefore(text: string, end: number, start = 0): number {
  let count = 0;
  for (let index = start; index < end; index++) {
    const unit = text.charCodeAt(index);
    const next = unit >= 0xd800 && unit <= 0xdbff ? text.charCodeAt(index + 1) : 0;
    if (next >= 0xdc00 && next <= 0xdfff) index++;
    count++;
  }
  return count;
}

/** The parts between separators; an empty separator gives the code points. */
export function split(context: BuiltinContext, text: string, separator: string): readonly string[] {
  if (separator === "") {
    if (text === "") return [];
    reserveElements(context, pointsBefore(text, text.length));
    return [...text];
  }
  reserveElements(context, countOf(text, separator) + 1);
  return text.split(separator);
}

/** Maps code point by code point, as Go does: what would become several code points keeps its own. */
function mapCase(text: string, map: (character: string) => string): string {
  if (isAscii(text)) return map(text);
  const parts: string[] = [];
  for (const character of text) {
    const mapped = map(character);
    // Of the several code points of a small dotted I, Go has the letter.
    if (character === "\u0130" && mapped !== character) parts.push("i");
    else parts.push([...mapped].length === 1 ? mapped : character);
  }
  return parts.join("");
}

/** White space as unicode.IsSpace has it. */
function isSpace(character: string): boolean {
  return /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/u.test(character);
}

function isOneOf(cut: string): (character: string) => boolean {
  const characters = new Set(cut);
  return (character) => characters.has(character);
}

function trimCharacters(text: string, cut: (character: string) => boolean, left: boolean, right: boolean): string {
  let start = 0;
  let end = text.length;
  while (left && start < end) {
    const character = String.fromCodePoint(text.codePointAt(start) as number);
    if (!cut(character)) break;
    start += character.length;
  }
  while (right && end > start) {
    const pair = end - 2 >= start ? text.codePointAt(end - 2) as number : 0;
    const character = pair > 0xffff ? String.fromCodePoint(pair) : text.charAt(end - 1);
    if (!cut(character)) break;
    end -= character.length;
  }
  return text.slice(start, end);
}
