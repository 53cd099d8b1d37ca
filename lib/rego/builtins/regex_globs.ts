// SPDX-License-Identifier: Apache-2.0
/**
 * regex.globs_match: whether two simple expressions have a text in common.
 *
 * They are made of characters, `.`, classes and the flags `+` and `*`. The answer is the one of the search that OPA
 * uses (it does not always find a text when a flag stands last), but every pair of places is judged only once, so
 * the work grows with the product of the lengths.
 */

import { type BuiltinContext, builtinError } from "./builtin.ts";

/** What one place of an expression matches: code points in sorted, separate ranges; undefined for any. */
interface Token {
  readonly ranges: readonly (readonly [number, number])[] | undefined;
  flag: "" | "+" | "*";
}

/** Steps that reading a character costs. */
const READ_COST = 64;

/** @throws {RegoBuiltinError} when one of them is malformed. */
export function globsIntersect(context: BuiltinContext, left: string, right: string): boolean {
  context.charge(1 + READ_COST * (left.length + right.length));
  const trimmed = trim(simplify(tokenize(left)), simplify(tokenize(right)));
  return trimmed !== undefined && createSearch(context, trimmed).normal(0, 0);
}

function invalid(text: string, why: string) {
  return builtinError(`input:${text.slice(0, 100)}, ${why}: the input provided is invalid`);
}

function tokenize(text: string): Token[] {
  const points = [...text];
  const tokens: Token[] = [];
  let index = 0;

  /** Reads one code point, or the one behind a backslash. */
  const read = (): { character: string; escaped: boolean } => {
    const character = points[index++] as string;
    if (character !== "\\") return { character, escaped: false };
    const next = points[index++];
    if (next === undefined) throw invalid(text, "input ends with a \\ (escape) character");
    return { character: next, escaped: true };
  };

  const readClass = (): Token => {
    const ranges: [number, number][] = [];
    let previous: number | undefined;
    while (index < points.length) {
      const { character, escaped } = read();
      const point = character.codePointAt(0) as number;
      if (!escaped && character === "]") return { ranges: normalize(ranges), flag: "" };
      if (escaped || character !== "-") {
        ranges.push([point, point]);
        previous = point;
        continue;
      }
      if (previous === undefined) throw invalid(text, "range character '-' must be preceded by a Unicode character");
      if (index >= points.length - 1) {
        throw invalid(text, "range character '-' must be followed by a Unicode character");
      }
      const end = read();
      if (!end.escaped && (end.character === "]" || end.character === "-")) {
        throw invalid(text, "range character '-' cannot be followed by a special symbol");
      }
      const last = end.character.codePointAt(0) as number;
      if (last < previous) throw invalid(text, "range is out of order");
      ranges.push([previous, last]);
      previous = undefined;
    }
    throw invalid(text, "found [ without matching ]");
  };

  while (index < points.length) {
    const { character, escaped } = read();
    let token: Token;
    if (!escaped && character === ".") token = { ranges: undefined, flag: "" };
    else if (!escaped && character === "[") token = readClass();
    else if (!escaped && (character === "]" || character === "+" || character === "*")) {
      throw invalid(
        text,
        character === "]" ? "set-close ']' with no preceding '['" : "flag must be preceded by a non-flag",
      );
    } else {
      const point = character.codePointAt(0) as number;
      token = { ranges: [[point, point]], flag: "" };
    }
    const flag = points[index];
    if (flag === "+" || flag === "*") {
      token.flag = flag;
      index++;
    } else if (flag === "\\" && index === points.length - 1) {
      throw invalid(text, "input ends with a \\ (escape) character");
    }
    tokens.push(token);
  }
  return tokens;
}

function normalize(ranges: [number, number][]): [number, number][] {
  ranges.sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const range of ranges) {
    const last = merged[merged.length - 1];
    if (last && range[0] <= last[1] + 1) last[1] = Math.max(last[1], range[1]);
    else merged.push([...range]);
  }
  return merged;
}

function sameRanges(a: Token, b: Token): boolean {
  return JSON.stringify(a.ranges ?? null) === JSON.stringify(b.ranges ?? null);
}

/** Joins flagged neighbours that match the same: `a+a*` is `a+`. */
function simplify(tokens: readonly Token[]): Token[] {
  const simple: Token[] = [];
  for (const token of tokens) {
    const last = simple[simple.length - 1];
    if (last && token.flag !== "" && last.flag !== "" && sameRanges(last, token)) {
      if (token.flag === "+") last.flag = "+";
    } else simple.push(token);
  }
  return simple;
}

function overlap(a: Token, b: Token): boolean {
  if (!a.ranges || !b.ranges) return true;
  let i = 0;
  let j = 0;
  while (i < a.ranges.length && j < b.ranges.length) {
    const [p, q] = [a.ranges[i], b.ranges[j]] as [readonly [number, number], readonly [number, number]];
    if (p[0] <= q[1] && q[0] <= p[1]) return true;
    if (p[1] < q[1]) i++;
    else j++;
  }
  return false;
}

type Pair = readonly [readonly Token[], readonly Token[]];

/** Cuts what both begin and end with, all but one place; undefined when they begin or end differently. */
function trim(a: readonly Token[], b: readonly Token[]): Pair | undefined {
  const plain = (i: number, j: number) => a[i]?.flag === "" && b[j]?.flag === "";
  const meet = (i: number, j: number) => overlap(a[i] as Token, b[j] as Token);
  let left = 0;
  for (; plain(left, left); left++) if (!meet(left, left)) return undefined;
  if (left > 0) left--;
  let i = a.length - 1;
  let j = b.length - 1;
  for (; i >= left && j >= left && plain(i, j); i--, j--) if (!meet(i, j)) return undefined;
  if (i < a.length - 1) {
    i++;
    j++;
  }
  return [a.slice(left, i + 1), b.slice(left, j + 1)];
}

function createSearch(context: BuiltinContext, [a, b]: Pair) {
  const known = new Map<string, boolean>();

  function once(key: string, find: () => boolean): boolean {
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    context.charge(1);
    const found = find();
    known.set(key, found);
    return found;
  }

  /** Do the rests from `i` and `j` have a text in common? */
  function normal(i: number, j: number): boolean {
    while (i < a.length && j < b.length) {
      const [p, q] = [a[i], b[j]] as [Token, Token];
      if (p.flag !== "" || q.flag !== "") return special(i, j);
      if (!overlap(p, q)) return false;
      i++;
      j++;
    }
    return i === a.length && j === b.length;
  }

  function special(i: number, j: number): boolean {
    const swapped = (a[i] as Token).flag === "";
    const flag = (swapped ? b[j] : a[i])?.flag;
    return once(`${i},${j}`, () => {
      if (flag === "*") return swapped ? star(b, a, j, i, true) : star(a, b, i, j, false);
      return swapped ? plus(b, a, j, i, true) : plus(a, b, i, j, false);
    });
  }

  function rest(flagged: number, other: number, swapped: boolean): boolean {
    return swapped ? normal(other, flagged) : normal(flagged, other);
  }

  function plus(flagged: readonly Token[], other: readonly Token[], i: number, j: number, swapped: boolean): boolean {
    if (!overlap(flagged[i] as Token, other[j] as Token)) return false;
    if (star(flagged, other, i, j + 1, swapped)) return true;
    return (other[j] as Token).flag !== "" && rest(i + 1, j, swapped);
  }

  /** The flagged place swallows places of the other one until what follows it fits. */
  function star(flagged: readonly Token[], other: readonly Token[], i: number, j: number, swapped: boolean): boolean {
    return once(`${swapped}*${i},${j}`, () => {
      const next = flagged[i + 1];
      for (let k = j; k < other.length; k++) {
        context.charge(1);
        const token = other[k] as Token;
        if (next && overlap(token, next) && rest(i + 1, k, swapped)) return true;
        if (!overlap(token, flagged[i] as Token)) return false;
      }
      return next === undefined;
    });
  }

  return { normal };
}
