// SPDX-License-Identifier: Apache-2.0
/** YAML text as go-yaml 3 writes a JSON document: block style, two spaces, quotes only where they are needed. */

import { isNumber, numberKey, type RegoNumber, toBigInt, toDouble } from "../numbers.ts";
import { isArray, RegoSet, type Value } from "../values.ts";
import { type BuiltinContext, builtinError } from "./builtin.ts";
import { formatFloat, SHORTEST } from "./go_float.ts";
import { sortedMembers } from "../json.ts";
import { reserveText } from "./operands.ts";
import { readsAsString } from "./yaml_scalar.ts";

/** Writes `value` as one document. @throws {RegoLimitError} before it becomes too long. */
export function goYaml(context: BuiltinContext, value: Value): string {
  const parts: string[] = [];
  let length = 0;
  const write = (text: string) => {
    length += text.length;
    if (length > context.limits.maxStringLength) reserveText(context, length);
    parts.push(text);
  };
  appendNode(value, "", write, true);
  reserveText(context, length);
  return parts.join("");
}

type Write = (text: string) => void;

/** Writes a node whose lines begin with `indent`; the first line goes on the current one when `inline`. */
function appendNode(value: Value, indent: string, write: Write, inline: boolean): void {
  if (isArray(value) || value instanceof RegoSet) {
    const items = isArray(value) ? value : value.values();
    if (items.length === 0) return write("[]\n");
    for (const [index, item] of items.entries()) {
      write(index === 0 && inline ? "- " : `${indent}- `);
      appendNode(item, `${indent}  `, write, true);
    }
    return;
  }
  if (typeof value === "string") return write(`${scalarText(value, indent)}\n`);
  if (isNumber(value)) return write(`${numberText(value)}\n`);
  if (value === null || typeof value === "boolean") return write(`${value}\n`);
  const members = [...sortedMembers(value)].sort((a, b) => compareKeys(a[0], b[0]));
  if (members.length === 0) return write("{}\n");
  for (const [index, [key, member]] of members.entries()) {
    if (index > 0 || !inline) write(indent);
    const deeper = `${indent}  `;
    const text = scalarText(key, deeper);
    // A key that is too long, or has lines, is written as an explicit one.
    const explicit = key.includes("\n") || text.length > MAX_SIMPLE_KEY;
    write(explicit ? `? ${text}\n${indent}:` : `${text}:`);
    write(isFilled(member) && !explicit ? `\n${deeper}` : " ");
    appendNode(member, deeper, write, true);
  }
}

/** Characters of a key up to which it stands before its colon. */
const MAX_SIMPLE_KEY = 128;

function isFilled(value: Value): boolean {
  if (typeof value !== "object" || value === null || isNumber(value)) return false;
  return isArray(value) ? value.length > 0 : value.size > 0;
}

/** Integers of 64 bits stay; anything else is a double, as go-yaml read it from the JSON text. */
function numberText(value: RegoNumber): string {
  const key = numberKey(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  const whole = typeof value !== "number" && /^-?\d+$/.test(value.text) ? toBigInt(value) : undefined;
  if (whole !== undefined && whole >= -(1n << 63n) && whole < 1n << 64n) return String(whole);
  return formatFloat(typeof key === "number" ? key : toDouble(value), "g", SHORTEST);
}

/** Characters that go-yaml does not let through when it reads the JSON text it starts from. */
const UNREADABLE = /[\u007f-\u0084\u0086-\u009f\ufeff\ufffe\uffff]/;

function scalarText(text: string, indent: string): string {
  if (UNREADABLE.test(text)) throw builtinError("yaml: control characters are not allowed");
  if (text.includes("\n")) {
    return literalAllowed(text) ? literal(text, indent === "" ? "  " : indent) : doubleQuoted(text);
  }
  if (!readsAsString(text) || !text.isWellFormed()) return doubleQuoted(text);
  if (!isPrintable(text)) {
    return BREAKS.test(text) && singleAllowed(text) ? `'${text.replaceAll("'", "''")}'` : doubleQuoted(text);
  }
  return plainAllowed(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

/** libyaml's idea of what may stand in a plain scalar of a block. */
function plainAllowed(text: string): boolean {
  if (/^[ ]|[ ]$/.test(text)) return false;
  if (/^(?:---|\.\.\.)/.test(text)) return false;
  if (/^[#,[\]{}&*!|>'"%@`]/.test(text)) return false;
  return !/^[-?:](?:[ \t]|$)|:(?:[ \t]|$)|[ \t]#/.test(text);
}

/** What libyaml writes as it is: not tabs, the byte order mark, or what lies beyond U+FFFF. */
function isPrintable(text: string): boolean {
  return /^[\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/u.test(text);
}

/** Breaks other than a line feed, which JSON text may hold as they are. */
const BREAKS = /[\u0085\u2028\u2029]/;

/** With such breaks in it, a text may stand in single quotes unless a space is next to one. */
function singleAllowed(text: string): boolean {
  return isPrintable(text.replace(/[\u0085\u2028\u2029]/g, "")) &&
    !/ [\u0085\u2028\u2029]|[\u0085\u2028\u2029] /.test(text);
}

function literalAllowed(text: string): boolean {
  return isPrintable(text.replaceAll("\t", "")) && !/ (?:\n|$)/.test(text) && !/[\u2028\u2029\u0085]/.test(text);
}

function literal(text: string, indent: string): string {
  const hint = /^[ \n]/.test(text) ? "2" : "";
  const chomp = !text.endsWith("\n") ? "-" : text === "\n" || text.endsWith("\n\n") ? "+" : "";
  const lines = text.endsWith("\n") ? text.slice(0, -1).split("\n") : text.split("\n");
  return `|${hint}${chomp}\n${lines.map((line) => line === "" ? "" : indent + line).join("\n")}`;
}

const ESCAPES = new Map([
  ["\0", "\\0"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\v", "\\v"],
  ["\f", "\\f"],
  ["\r", "\\r"],
  ["\x1b", "\\e"],
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\u0085", "\\N"],
  ["\u00a0", "\\_"],
  ["\u2028", "\\L"],
  ["\u2029", "\\P"],
]);

function doubleQuoted(text: string): string {
  const parts: string[] = [];
  for (const character of text.toWellFormed()) {
    const escaped = ESCAPES.get(character);
    if (character === "\u00a0" || (escaped === undefined && isPrintable(character))) parts.push(character);
    else if (escaped !== undefined) parts.push(escaped);
    else {
      const point = character.codePointAt(0) ?? 0;
      const digits = point.toString(16).toUpperCase();
      parts.push(
        point <= 0xff
          ? `\\x${digits.padStart(2, "0")}`
          : point <= 0xffff
          ? `\\u${digits.padStart(4, "0")}`
          : `\\U${digits.padStart(8, "0")}`,
      );
    }
  }
  return `"${parts.join("")}"`;
}

/** Orders keys as people count: runs of digits by their value, letters after everything else. */
function compareKeys(a: string, b: string): number {
  const x = [...a];
  const y = [...b];
  let inDigits = false;
  for (let index = 0; index < x.length && index < y.length; index++) {
    const p = x[index] as string;
    const q = y[index] as string;
    if (p === q) {
      inDigits = isDigit(p);
      continue;
    }
    const pLetter = /\p{L}/u.test(p);
    const qLetter = /\p{L}/u.test(q);
    if (pLetter && qLetter) return codePoint(p) - codePoint(q);
    if (pLetter || qLetter) return (inDigits ? pLetter : qLetter) ? -1 : 1;
    return compareRuns(x, y, index);
  }
  return x.length - y.length;
}

/** As go-yaml: a number beyond the machine word goes round. */
const WORD_BITS = 64;

/** Compares the numbers that begin at `index`; zeros behind other digits belong to the number before them. */
function compareRuns(x: readonly string[], y: readonly string[], index: number): number {
  let base = 0n;
  if (x[index] === "0" || y[index] === "0") {
    for (let before = index - 1; before >= 0 && isDigit(x[before] as string); before--) {
      if (x[before] !== "0") {
        base = 1n;
        break;
      }
    }
  }
  const [p, pEnd] = run(x, index, base);
  const [q, qEnd] = run(y, index, base);
  if (p !== q) return p < q ? -1 : 1;
  return pEnd - qEnd || codePoint(x[index] as string) - codePoint(y[index] as string);
}

function run(characters: readonly string[], start: number, base: bigint): [bigint, number] {
  let end = start;
  while (end < characters.length && isDigit(characters[end] as string)) end++;
  const digits = characters.slice(start, end).join("");
  const value = base * 10n ** BigInt(digits.length) + (digits === "" ? 0n : BigInt(digits));
  return [BigInt.asIntN(WORD_BITS, value), end];
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0;
}
