// SPDX-License-Identifier: Apache-2.0
/** glob.match and glob.quote_meta: shell-like patterns, matched in linear time through RE2. */

import { RE2JS } from "re2js";
import { isArray, type Value } from "../values.ts";
import {
  arrayType,
  booleanType,
  type BuiltinContext,
  builtinError,
  family,
  nullType,
  orType,
  stringType,
} from "./builtin.ts";
import { chargeText, elementError, reserveText, stringOperand, typeError } from "./operands.ts";
import { compilePattern, isWhole } from "./regex_engine.ts";
import { codePointCount } from "./text.ts";

export const globs = family(
  {
    name: "glob.match",
    args: [stringType, orType(nullType, arrayType(stringType)), stringType],
    result: booleanType,
    call(context, args) {
      const glob = stringOperand(args, 1);
      const separators = separatorsOperand(args);
      const text = stringOperand(args, 3);
      return isWhole(context, compilePattern(context, expressionOf(context, glob, separators)), text);
    },
  },
  {
    name: "glob.quote_meta",
    args: [stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      reserveText(context, text.length * 2);
      return text.replace(/[*?\\[\]{}]/g, "\\$&");
    },
  },
);

/** Characters that `*` and `?` do not match: none for null, a dot for an empty array. */
function separatorsOperand(args: readonly Value[]): readonly string[] {
  const value = args[1] as Value;
  if (value === null) return [];
  if (!isArray(value)) throw typeError(2, value, "array", "null");
  for (const separator of value) {
    if (typeof separator !== "string") throw elementError(2, value, separator, "string");
    if (codePointCount(separator) !== 1) throw elementError(2, value, separator, "rune");
  }
  return value.length === 0 ? ["."] : value as readonly string[];
}

/** Writes a glob as an RE2 expression. @throws {RegoBuiltinError} for an unclosed bracket or brace, or a bad range. */
function expressionOf(context: BuiltinContext, glob: string, separators: readonly string[]): string {
  const key = `glob:${JSON.stringify([separators, glob])}`;
  const known = context.cache.get(key);
  if (typeof known === "string") return known;
  chargeText(context, glob.length * 8);
  const single = separators.length === 0 ? "." : `[^${separators.map(classCharacter).join("")}]`;
  const expression = `(?s)${createTranslation([...glob], single).whole()}`;
  context.cache.set(key, expression);
  return expression;
}

function syntaxError(offset: number, reason: string) {
  return builtinError(`glob: syntax error at ${offset}: ${reason}`);
}

function classCharacter(character: string): string {
  return `\\x{${(character.codePointAt(0) as number).toString(16)}}`;
}

function createTranslation(points: readonly string[], single: string) {
  let index = 0;

  function whole(): string {
    const parts: string[] = [];
    let depth = 0;
    while (index < points.length) {
      const character = points[index++] as string;
      switch (character) {
        case "*":
          if (points[index] === "*") {
            index++;
            parts.push(".*");
          } else parts.push(`${single}*`);
          break;
        case "?":
          parts.push(single);
          break;
        case "[":
          parts.push(characterClass());
          break;
        case "{":
          depth++;
          parts.push("(?:");
          break;
        case "\\":
          if (index === points.length) throw syntaxError(index, "trailing backslash");
          parts.push(RE2JS.quote(points[index++] as string));
          break;
        case ",":
          parts.push(depth > 0 ? "|" : ",");
          break;
        case "}":
          parts.push(depth > 0 ? ")" : "\\}");
          if (depth > 0) depth--;
          break;
        default:
          parts.push(RE2JS.quote(character));
      }
    }
    if (depth > 0) throw syntaxError(index, "unclosed `{`");
    return parts.join("");
  }

  /** `[abc]`, `[a-z]` and, after an exclamation mark, everything else. */
  function characterClass(): string {
    const negated = points[index] === "!";
    if (negated) index++;
    const open = negated ? "[^" : "[";
    const [low, dash, high] = [points[index], points[index + 1], points[index + 2]];
    if (low === undefined) throw syntaxError(index, "unexpected end of input");
    if (dash === "-") {
      if (high === undefined) throw syntaxError(index, "unexpected end of input");
      index += 3;
      close();
      if ((high.codePointAt(0) as number) < (low.codePointAt(0) as number)) {
        throw syntaxError(index, "range hi character is less than lo");
      }
      return `${open}${classCharacter(low)}-${classCharacter(high)}]`;
    }
    const members: string[] = [];
    while (index < points.length && points[index] !== "]") {
      const character = points[index++] as string;
      const member = character === "\\" ? points[index++] : character;
      if (member === undefined) throw syntaxError(index, "trailing backslash");
      members.push(classCharacter(member));
    }
    close();
    if (members.length === 0) throw syntaxError(index, "could not parse range");
    return `${open}${members.join("")}]`;
  }

  function close(): void {
    if (points[index] === undefined) throw syntaxError(index, "unexpected end of input");
    if (points[index] !== "]") throw syntaxError(index, "expected close range character");
    index++;
  }

  return { whole };
}
