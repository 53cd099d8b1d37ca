// SPDX-License-Identifier: Apache-2.0
/** Regular expressions of policies: RE2 syntax, linear time, matches found and templates filled in as Go does it. */

import { RE2JS } from "re2js";
import { RegoLimitError } from "../limits.ts";
import { type BuiltinContext, builtinError } from "./builtin.ts";
import { chargeText } from "./operands.ts";

/** Compiled patterns that are kept; OPA keeps as many. */
const CACHED_PATTERNS = 100;

/** Instructions run over characters for the price of one step. */
const WORK_PER_STEP = 64;

/** One compiled pattern. */
export interface Pattern {
  readonly re: RE2JS;
  readonly size: number;
  /** The group of a name: of several the first that took part in the match. */
  group(name: string, match: Match): number | undefined;
}

/**
 * Patterns by their text, the oldest dropped first. They do not depend on anything but their text, and compiling one
 * costs more than a whole decision; so they are shared by all queries.
 */
const compiled = new Map<string, Pattern>();

/** Compiles `text`, or finds it compiled. @throws {RegoBuiltinError} when it is no RE2 expression; {RegoLimitError}. */
export function compilePattern(context: BuiltinContext, text: string): Pattern {
  const known = compiled.get(text);
  if (known) return known;
  const { maxPatternLength } = context.limits;
  if (text.length > maxPatternLength) {
    const message =
      `Cannot compile a regular expression of ${text.length} characters: the limit is ${maxPatternLength}`;
    throw new RegoLimitError("maxPatternLength", message);
  }
  if (!text.isWellFormed()) throw builtinError("error parsing regexp: invalid UTF-8");
  chargeText(context, text.length * WORK_PER_STEP);
  let pattern: Pattern;
  try {
    const { unique, names } = uniqueNames(text);
    const re = RE2JS.compile(unique);
    const groups = re.namedGroups() as Readonly<Record<string, number>>;
    pattern = {
      re,
      size: re.programSize(),
      group(name, match) {
        const numbers = (names.get(name) ?? []).flatMap((each) => groups[each] ?? []);
        return numbers.find((number) => (match[number * 2] ?? -1) >= 0);
      },
    };
  } catch (error) {
    // The stack has ended: a limit, not a pattern that is wrong.
    if (error instanceof RangeError) throw error;
    throw builtinError(error instanceof Error ? error.message.slice(0, 200) : "error parsing regexp");
  }
  context.charge(pattern.size);
  if (compiled.size >= CACHED_PATTERNS) compiled.delete(compiled.keys().next().value as string);
  compiled.set(text, pattern);
  return pattern;
}

/** A part of a pattern that may hold what looks like the beginning of a group, or such a beginning. */
const GROUP_OR_LITERAL =
  /\\Q[\s\S]*?(?:\\E|$)|\\[\s\S]|\[\^?\]?(?:\[:\^?\w*:\]|\\[\s\S]|[^\]\\])*\]|\(\?P?<([A-Za-z0-9_]+)>/g;

/** Go lets groups have the same name, the engine does not: each gets a name of its own. */
function uniqueNames(text: string): { unique: string; names: ReadonlyMap<string, readonly string[]> } {
  const names = new Map<string, string[]>();
  const unique = text.replace(GROUP_OR_LITERAL, (part: string, name: string | undefined) => {
    if (name === undefined) return part;
    const known = names.get(name) ?? [];
    names.set(name, known);
    let own = name;
    while (known.length > 0 && text.includes(own)) own += "_";
    if (known.length > 0) own += "_".repeat(known.length);
    known.push(own);
    return `(?P<${own}>`;
  });
  return { unique, names };
}

/** True when the pattern is found anywhere in `text`. */
export function isFound(context: BuiltinContext, pattern: Pattern, text: string): boolean {
  chargeSearch(context, pattern, text.length, WORK_PER_STEP);
  return pattern.re.test(text);
}

/** True when the pattern is the whole of `text`. */
export function isWhole(context: BuiltinContext, pattern: Pattern, text: string): boolean {
  chargeSearch(context, pattern, text.length, WORK_PER_STEP);
  return pattern.re.testExact(text);
}

function chargeSearch(context: BuiltinContext, pattern: Pattern, length: number, workPerStep: number): void {
  context.charge(1 + Math.floor(length * pattern.size / workPerStep));
}

/** Start and end of the match and of each group; -1 for a group that took no part. */
export type Match = readonly number[];

/**
 * The matches from left to right, `limit` of them at most (all when negative). An empty match right behind another
 * match does not count (Go: regexp, "All").
 */
export function* matches(
  context: BuiltinContext,
  pattern: Pattern,
  text: string,
  limit = -1,
): Generator<Match, undefined> {
  const matcher = pattern.re.matcher(text);
  const groups = matcher.groupCount();
  let found = 0;
  let position = 0;
  let previousEnd = -1;
  chargeSearch(context, pattern, text.length, WORK_PER_STEP);
  while ((limit < 0 || found < limit) && position <= text.length && matcher.find(position)) {
    const match: number[] = [];
    for (let group = 0; group <= groups; group++) match.push(matcher.start(group), matcher.end(group));
    const [start, end] = match as [number, number];
    // Each search is linear; most stop long before the end, so the rest is paid at a lower price.
    chargeSearch(context, pattern, end - position, WORK_PER_STEP);
    chargeSearch(context, pattern, text.length - position, WORK_PER_STEP * WORK_PER_STEP);
    const empty = end === position;
    const counts = !empty || start !== previousEnd;
    if (empty) position += (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1;
    else position = end;
    previousEnd = end;
    if (!counts) continue;
    found++;
    yield match;
  }
  return undefined;
}

/** The text of a group. */
export function groupText(text: string, match: Match, group: number): string {
  const start = match[group * 2] ?? -1;
  return start < 0 ? "" : text.slice(start, match[group * 2 + 1]);
}

/** One part of a replacement: literal text or a group, by number or name. */
export type TemplatePart = string | { readonly group: number | string };

/** Splits a replacement: `$1`, `$name`, `${name}` and `$$`; any other `$` stands for itself (Go: Regexp.Expand). */
export function parseTemplate(template: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = [];
  let index = 0;
  while (index < template.length) {
    const dollar = template.indexOf("$", index);
    if (dollar < 0) break;
    if (dollar > index) parts.push(template.slice(index, dollar));
    if (template[dollar + 1] === "$") {
      parts.push("$");
      index = dollar + 2;
      continue;
    }
    const match = /^\$(?:\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/u.exec(template.slice(dollar));
    const name = match?.[1] ?? match?.[2];
    if (match === null || name === undefined) {
      parts.push("$");
      index = dollar + 1;
      continue;
    }
    parts.push({ group: /^(?:0|[1-9][0-9]{0,8})$/.test(name) ? Number(name) : name });
    index = dollar + match[0].length;
  }
  if (index < template.length) parts.push(template.slice(index));
  return parts;
}
