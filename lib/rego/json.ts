// SPDX-License-Identifier: Apache-2.0
/** Between JSON and Rego values, without rounding a number. */

import { DEFAULT_LIMITS, RegoLimitError } from "./limits.ts";
import { BigNumber, formatNumber, fromDouble, isNumber, parseNumber } from "./numbers.ts";
import { compareStrings, isArray, type Key, keyOf, RegoObject, RegoSet, type Value } from "./values.ts";

/** Text that may hold a number which a double would not give back: many digits, a fraction, an exponent, -0. */
const DELICATE_NUMBER = /[0-9]{16}|[0-9][.eE]|-0/;

/**
 * Reads JSON text.
 *
 * @throws {SyntaxError} when it is not JSON, or a number's exponent is out of range.
 * @throws {RegoLimitError} when it is nested deeper than `maxNesting`.
 */
export function parseJson(text: string, maxNesting: number = DEFAULT_LIMITS.maxNesting): Value {
  if (!DELICATE_NUMBER.test(text)) return fromJson(JSON.parse(text), maxNesting);
  checkBrackets(text, maxNesting);
  return fromJson(JSON.parse(text, reviveNumber), maxNesting);
}

function reviveNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  const number = parseNumber(context.source);
  if (number === undefined) throw new SyntaxError(`number ${context.source.slice(0, 40)} is out of range`);
  return number;
}

/** JSON.parse with a reviver recurses: refuse what would overflow the stack before it starts. */
function checkBrackets(text: string, maxNesting: number): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (inString) {
      if (unit === 92) i++;
      else if (unit === 34) inString = false;
    } else if (unit === 34) inString = true;
    else if (unit === 91 || unit === 123) {
      if (++depth > maxNesting) throw tooDeep(maxNesting);
    } else if (unit === 93 || unit === 125) depth--;
  }
}

function tooDeep(maxNesting: number): RegoLimitError {
  return new RegoLimitError("maxNesting", `Cannot read a document: nested deeper than ${maxNesting}`);
}

/**
 * Makes a Rego value of what JSON.parse or a YAML reader gives; later changes to `plain` are not seen.
 *
 * @throws {TypeError} for what JSON cannot hold (undefined, functions, dates, NaN).
 * @throws {RegoLimitError} when it is nested deeper than `maxNesting`.
 */
export function fromJson(plain: unknown, maxNesting: number = DEFAULT_LIMITS.maxNesting): Value {
  return convert(plain, maxNesting, maxNesting);
}

function convert(plain: unknown, room: number, maxNesting: number): Value {
  switch (typeof plain) {
    case "string":
      return plain.isWellFormed() ? plain : plain.toWellFormed();
    case "boolean":
      return plain;
    case "number":
      if (Number.isSafeInteger(plain) && plain !== 0) return plain;
      if (!Number.isFinite(plain)) throw new TypeError(`Cannot make a Rego value of ${plain}`);
      return fromDouble(plain);
    case "bigint":
      return parseNumber(plain.toString()) as Value;
    case "object":
      break;
    default:
      throw new TypeError(`Cannot make a Rego value of ${typeof plain}`);
  }
  if (plain === null) return null;
  if (room <= 0) throw tooDeep(maxNesting);
  if (Array.isArray(plain)) {
    const items = new Array<Value>(plain.length);
    for (let i = 0; i < plain.length; i++) items[i] = convert(plain[i], room - 1, maxNesting);
    return items;
  }
  if (plain instanceof RegoObject || plain instanceof RegoSet || plain instanceof BigNumber) return plain;
  const prototype = Object.getPrototypeOf(plain);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`Cannot make a Rego value of a ${plain.constructor?.name ?? "strange object"}`);
  }
  const values = new Map<Key, Value>();
  const record = plain as Record<string, unknown>;
  for (const name of Object.keys(record)) {
    const key = name.isWellFormed() ? name : name.toWellFormed();
    values.set(keyOf(key), convert(record[name], room - 1, maxNesting));
  }
  return values.size === 0 ? RegoObject.empty : new RegoObject(values, undefined);
}

/**
 * Plain JavaScript data: sets become sorted arrays, keys that are not strings become their JSON text, and numbers
 * that a double cannot hold are rounded; formatJson() keeps them exact.
 */
export function toJson(value: Value): unknown {
  if (isNumber(value)) return Number(formatNumber(value));
  if (typeof value !== "object" || value === null) return value;
  if (isArray(value)) return value.map(toJson);
  if (value instanceof RegoSet) return value.values().map(toJson);
  const record: Record<string, unknown> = {};
  for (const [key, member] of value.entries()) {
    const name = jsonKey(key);
    // A plain assignment to __proto__ would set the prototype.
    if (name === "__proto__") Object.defineProperty(record, name, { value: toJson(member), enumerable: true });
    else record[name] = toJson(member);
  }
  return record;
}

/** JSON text with exact numbers, keys sorted; `indent` spaces a level, none by default. */
export function formatJson(value: Value, indent = 0): string {
  return format(value, indent, "\n");
}

function format(value: Value, indent: number, newline: string): string {
  if (isNumber(value)) return formatNumber(value);
  // A byte that is not UTF-8 stands as a lone surrogate: JSON has no place for it.
  if (typeof value === "string") return JSON.stringify(value.toWellFormed());
  if (typeof value !== "object" || value === null) return String(value);
  const deeper = indent === 0 ? "" : newline + " ".repeat(indent);
  const close = indent === 0 ? "" : newline;
  if (isArray(value) || value instanceof RegoSet) {
    const items = isArray(value) ? value : value.values();
    if (items.length === 0) return "[]";
    return "[" + items.map((item) => deeper + format(item, indent, deeper)).join(",") + close + "]";
  }
  if (value.size === 0) return "{}";
  const colon = indent === 0 ? ":" : ": ";
  const members = sortedMembers(value).map(([key, member]) =>
    deeper + JSON.stringify(key.toWellFormed()) + colon + format(member, indent, deeper)
  );
  return "{" + members.join(",") + close + "}";
}

/** The members by their JSON keys, in the order of the keys' bytes; of keys that become equal the last stays. */
export function sortedMembers(object: RegoObject): readonly (readonly [string, Value])[] {
  const members: (readonly [string, Value])[] = [];
  let plain = true;
  for (const [key, value] of object.entries()) {
    plain &&= typeof key === "string";
    members.push([jsonKey(key), value]);
  }
  if (plain) return members;
  return [...new Map(members)].sort((a, b) => compareStrings(a[0], b[0]));
}

/** JSON has string keys only: any other key is written as its JSON text, in Go's form. */
function jsonKey(key: Value): string {
  if (typeof key === "string") return key;
  const parts: string[] = [];
  writeGoJson(key, (text) => parts.push(text));
  return parts.join("");
}

/** Writes JSON on one line as Go's encoding/json does: HTML characters escaped, keys sorted. */
export function writeGoJson(value: Value, write: (text: string) => void): void {
  if (typeof value === "string") return write(goJsonString(value));
  if (isNumber(value)) return write(formatNumber(value));
  if (value === null || typeof value === "boolean") return write(String(value));
  const isList = isArray(value) || value instanceof RegoSet;
  write(isList ? "[" : "{");
  let first = true;
  for (const item of isArray(value) ? value : value instanceof RegoSet ? value.values() : sortedMembers(value)) {
    if (!first) write(",");
    first = false;
    if (isList) writeGoJson(item as Value, write);
    else {
      const [key, member] = item as readonly [string, Value];
      write(`${goJsonString(key)}:`);
      writeGoJson(member, write);
    }
  }
  write(isList ? "]" : "}");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** A JSON string with the characters escaped that Go escapes; a byte that is not UTF-8 becomes `\ufffd`. */
export function goJsonString(text: string): string {
  const formed = text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, "\uE000\uFFFD");
  const json = JSON.stringify(formed).replace(/[<>&\u2028\u2029]/g, (character) => ESCAPES[character] as string);
  return formed === text ? json : json.replaceAll("\uE000\uFFFD", "\\ufffd");
}
