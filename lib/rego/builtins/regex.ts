// SPDX-License-Identifier: Apache-2.0
/** regex.*: searching, splitting and replacing with RE2 expressions. */

import { RE2JS } from "re2js";
import type { Value } from "../values.ts";
import {
  arrayType,
  booleanType,
  type BuiltinContext,
  builtinError,
  family,
  numberType,
  stringType,
} from "./builtin.ts";
import { intOperand, reserveElements, reserveText, stringOperand, succeeds } from "./operands.ts";
import {
  compilePattern,
  groupText,
  isFound,
  type Match,
  matches,
  parseTemplate,
  type Pattern,
} from "./regex_engine.ts";
import { globsIntersect } from "./regex_globs.ts";
import { byteLength, quote } from "./text.ts";

export const regexes = family(
  {
    name: "regex.is_valid",
    args: [stringType],
    result: booleanType,
    call: (context, args) => succeeds(() => compilePattern(context, stringOperand(args, 1))),
  },
  {
    name: "regex.match",
    args: [stringType, stringType],
    result: booleanType,
    call(context, args) {
      const [pattern, text] = patternAndText(context, args);
      return isFound(context, pattern, text);
    },
  },
  {
    name: "regex.split",
    args: [stringType, stringType],
    result: arrayType(stringType),
    call(context, args) {
      const [pattern, text] = patternAndText(context, args);
      if (text === "" && args[0] !== "") return [""];
      const parts: string[] = [];
      let begin = 0;
      let end = 0;
      for (const [start, stop] of matches(context, pattern, text) as Iterable<[number, number]>) {
        end = start;
        if (stop !== 0) append(context, parts, text.slice(begin, end));
        begin = stop;
      }
      if (end !== text.length) parts.push(text.slice(begin));
      return parts;
    },
  },
  {
    name: "regex.find_n",
    args: [stringType, stringType, numberType],
    result: arrayType(stringType),
    call(context, args) {
      const [pattern, text, limit] = patternTextAndLimit(context, args);
      const found: string[] = [];
      for (const match of matches(context, pattern, text, limit)) {
        append(context, found, groupText(text, match, 0));
      }
      return found;
    },
  },
  {
    name: "regex.find_all_string_submatch_n",
    args: [stringType, stringType, numberType],
    result: arrayType(arrayType(stringType)),
    call(context, args) {
      const [pattern, text, limit] = patternTextAndLimit(context, args);
      const found: string[][] = [];
      for (const match of matches(context, pattern, text, limit)) {
        context.charge(match.length);
        append(context, found, Array.from({ length: match.length / 2 }, (_, group) => groupText(text, match, group)));
      }
      return found;
    },
  },
  {
    name: "regex.replace",
    args: [stringType, stringType, stringType],
    result: stringType,
    call(context, args) {
      const [text, pattern, replacement] = [1, 2, 3].map((position) => stringOperand(args, position)) as [
        string,
        string,
        string,
      ];
      return replaceAll(context, compilePattern(context, pattern), text, replacement);
    },
  },
  {
    name: "regex.template_match",
    args: [stringType, stringType, stringType, stringType],
    result: booleanType,
    call(context, args) {
      const [template, text, open, close] = [1, 2, 3, 4].map((position) => stringOperand(args, position)) as [
        string,
        string,
        string,
        string,
      ];
      for (const [what, delimiter] of [["start", open], ["end", close]] as const) {
        if (byteLength(delimiter) !== 1) {
          throw builtinError(
            `${what} delimiter has to be exactly one character long but is ${byteLength(open)} long`,
          );
        }
      }
      return isFound(context, compilePattern(context, expandTemplate(context, template, open, close)), text);
    },
  },
  {
    name: "regex.globs_match",
    args: [stringType, stringType],
    result: booleanType,
    call: (context, args) => globsIntersect(context, stringOperand(args, 1), stringOperand(args, 2)),
  },
);

function patternAndText(context: BuiltinContext, args: readonly Value[]): [Pattern, string] {
  const pattern = stringOperand(args, 1);
  const text = stringOperand(args, 2);
  return [compilePattern(context, pattern), text];
}

/** All operands are looked at before the pattern is. */
function patternTextAndLimit(context: BuiltinContext, args: readonly Value[]): [Pattern, string, number] {
  for (const position of [1, 2]) stringOperand(args, position);
  const limit = intOperand(args, 3);
  return [...patternAndText(context, args), limit];
}

function append<T>(context: BuiltinContext, list: T[], item: T): void {
  list.push(item);
  if (list.length > context.limits.maxElements) reserveElements(context, list.length);
}

function replaceAll(context: BuiltinContext, pattern: Pattern, text: string, replacement: string): string {
  const template = parseTemplate(replacement);
  const parts: string[] = [];
  let length = 0;
  const write = (part: string) => {
    length += part.length;
    if (length > context.limits.maxStringLength) reserveText(context, length);
    parts.push(part);
  };
  const expand = (match: Match) => {
    for (const part of template) {
      if (typeof part === "string") write(part);
      else {
        const group = typeof part.group === "number" ? part.group : pattern.group(part.group, match);
        if (group !== undefined) write(groupText(text, match, group));
      }
    }
  };
  let copied = 0;
  for (const match of matches(context, pattern, text)) {
    context.charge(template.length);
    write(text.slice(copied, match[0]));
    expand(match);
    copied = match[1] as number;
  }
  write(text.slice(copied));
  reserveText(context, length);
  return parts.join("");
}

/** The expression of a template: text outside the delimiters stands for itself, inside is an expression. */
function expandTemplate(context: BuiltinContext, template: string, open: string, close: string): string {
  const unbalanced = () => builtinError(`unbalanced braces in ${quote(template.slice(0, 100))}`);
  const parts = ["^"];
  let level = 0;
  let start = 0;
  let literal = 0;
  for (let index = 0; index < template.length; index++) {
    const character = template.charAt(index);
    if (character === open) {
      if (++level === 1) start = index;
    } else if (character === close) {
      if (--level < 0) throw unbalanced();
      if (level > 0) continue;
      const inner = template.slice(start + 1, index);
      compilePattern(context, `^${inner}$`);
      parts.push(RE2JS.quote(template.slice(literal, start)), "(", inner, ")");
      literal = index + 1;
    }
  }
  if (level !== 0) throw unbalanced();
  return [...parts, RE2JS.quote(template.slice(literal)), "$"].join("");
}
