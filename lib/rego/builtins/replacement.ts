// SPDX-License-Identifier: Apache-2.0
/** replace and strings.replace_n: many strings replaced in one pass. */

import type { RegoObject } from "../values.ts";
import { type BuiltinContext, family, objectType, operandError, stringType } from "./builtin.ts";
import { chargeText, objectOperand, reserveText, stringOperand } from "./operands.ts";
import { fromBytes, isAscii, toBytes } from "./text.ts";

export const replacement = family(
  {
    name: "replace",
    args: [stringType, stringType, stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      const old = stringOperand(args, 2);
      const fresh = stringOperand(args, 3);
      chargeText(context, text.length);
      if (old === "") return replaceAll(context, [["", fresh]], text);
      let count = 0;
      for (let at = text.indexOf(old); at >= 0; at = text.indexOf(old, at + old.length)) count++;
      if (count === 0) return text;
      reserveText(context, text.length + count * (fresh.length - old.length));
      return text.split(old).join(fresh);
    },
  },
  {
    name: "strings.replace_n",
    args: [objectType(stringType, stringType), stringType],
    result: stringType,
    call: (context, args) => replaceAll(context, patternsOf(objectOperand(args, 1)), stringOperand(args, 2)),
  },
);

function patternsOf(patterns: RegoObject): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (const [old, fresh] of patterns.entries()) {
    if (typeof old !== "string") throw operandError(1, "non-string key found in pattern object");
    if (typeof fresh !== "string") throw operandError(1, "non-string value found in pattern object");
    pairs.push([old, fresh]);
  }
  return pairs;
}

/**
 * At every place the first pattern (in the order of the keys) that fits is replaced; the text goes on behind it.
 * An empty pattern fits once before every byte and at the end, as in Go (strings.NewReplacer), even inside a
 * character of several bytes.
 */
function replaceAll(context: BuiltinContext, patterns: readonly (readonly [string, string])[], text: string): string {
  const empty = patterns.find(([old]) => old === "")?.[1];
  if (empty === undefined || isAscii(text)) return replaceUnits(context, patterns, empty, text);
  const split = patterns.map(([old, fresh]) => [bytewise(old), fresh] as const);
  return fromBytes(toBytes(replaceUnits(context, split, empty, bytewise(text))));
}

/** The text with every byte beyond ASCII as a character of its own. */
function bytewise(text: string): string {
  return isAscii(text)
    ? text
    : Array.from(toBytes(text), (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join("");
}

function replaceUnits(
  context: BuiltinContext,
  patterns: readonly (readonly [string, string])[],
  empty: string | undefined,
  text: string,
): string {
  const byFirst = new Map<string, (readonly [string, string])[]>();
  for (const pattern of patterns) {
    const first = pattern[0].charAt(0);
    if (first !== "") byFirst.set(first, [...byFirst.get(first) ?? [], pattern]);
  }
  const parts: string[] = [];
  let length = 0;
  const write = (part: string) => {
    length += part.length;
    if (length > context.limits.maxStringLength) reserveText(context, length);
    parts.push(part);
  };
  let copied = 0;
  let index = 0;
  /** The empty pattern does not fit twice in one place. */
  let filled = false;
  while (index <= text.length) {
    if (empty !== undefined && !filled) {
      write(text.slice(copied, index));
      write(empty);
      copied = index;
      filled = true;
      continue;
    }
    filled = false;
    const candidates = index < text.length ? byFirst.get(text.charAt(index)) ?? [] : [];
    context.charge(1 + candidates.length);
    const match = candidates.find(([old]) => text.startsWith(old, index));
    if (match) {
      write(text.slice(copied, index));
      write(match[1]);
      index += match[0].length;
      copied = index;
    } else index++;
    if (index > text.length) break;
  }
  write(text.slice(copied));
  reserveText(context, length);
  return parts.join("");
}
