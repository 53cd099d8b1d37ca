// SPDX-License-Identifier: Apache-2.0
/** replace and strings.replace_n: many strings replaced in one pass. */

import type { RegoObject } from "../values.ts";
import { type BuiltinContext, family, objectType, operandError, stringType } from "./builtin.ts";
import { chargeText, objectOperand, reserveText, stringOperand } from "./operands.ts";
import { codePointCount } from "./text.ts";

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
      if (old === "") {
        reserveText(context, text.length + (codePointCount(text) + 1) * fresh.length);
        return text === "" ? fresh : fresh + [...text].map((character) => character + fresh).join("");
      }
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
 * An empty pattern fits where no other does, once before each code point and at the end (Go: strings.NewReplacer).
 */
function replaceAll(context: BuiltinContext, patterns: readonly (readonly [string, string])[], text: string): string {
  const byFirst = new Map<string, (readonly [string, string])[]>();
  let empty: string | undefined;
  for (const pattern of patterns) {
    if (pattern[0] === "") empty = pattern[1];
    else {
      const first = pattern[0].charAt(0);
      byFirst.set(first, [...byFirst.get(first) ?? [], pattern]);
    }
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
  /** An empty pattern does not fit again right behind another match. */
  let justMatched = false;
  while (index <= text.length) {
    const candidates = byFirst.get(text.charAt(index)) ?? [];
    context.charge(1 + candidates.length);
    const match = index < text.length ? candidates.find(([old]) => text.startsWith(old, index)) : undefined;
    if (match) {
      write(text.slice(copied, index));
      write(match[1]);
      index += match[0].length;
      copied = index;
      justMatched = true;
      continue;
    }
    if (empty !== undefined && !justMatched) {
      write(text.slice(copied, index));
      write(empty);
      copied = index;
    }
    justMatched = false;
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  write(text.slice(copied));
  reserveText(context, length);
  return parts.join("");
}
