// SPDX-License-Identifier: Apache-2.0
/** Makes a random policy that shows a difference as small as it gets while it still shows it. */

import type { Clause, FuzzPair } from "./fuzz_policy.ts";

/** Questions asked for one difference, at most. */
const MAX_TRIES = 3_000;

/** What stands in for a part of a term. */
const SMALL_TERMS = ["1", '"a"', "[1]", "input.n", "true"];

/** Leaves out one part after the other, as long as `stillDiffers`. */
export async function shrinkPair(
  pair: FuzzPair,
  stillDiffers: (smaller: FuzzPair) => Promise<boolean>,
): Promise<FuzzPair> {
  let best = pair;
  let tries = 0;
  for (let progress = true; progress;) {
    progress = false;
    for (const smaller of smallerPairs(best)) {
      if (++tries > MAX_TRIES) return best;
      if (!await stillDiffers(smaller)) continue;
      best = smaller;
      progress = true;
      break;
    }
  }
  return best;
}

/** Every pair that is one step smaller, the boldest steps first. */
function* smallerPairs(pair: FuzzPair): Generator<FuzzPair> {
  const { clauses, input, data } = pair;
  for (const [i, clause] of clauses.entries()) {
    // An else goes with the clause it belongs to, if that goes.
    const next = clauses[i + 1];
    const kept = clauses.toSpliced(i, 1);
    if (!clause.isElse && next?.isElse) {
      kept[i] = { ...next, isElse: false, head: clause.head.replace(/ := .*$/s, next.head.slice(4)) };
    }
    yield { ...pair, clauses: kept };
  }
  for (const [i, clause] of clauses.entries()) {
    for (const j of clause.body.keys()) {
      yield { ...pair, clauses: clauses.with(i, { ...clause, body: clause.body.toSpliced(j, 1) }) };
    }
  }
  for (const name of Object.keys(input ?? {})) yield { ...pair, input: without(input!, name) };
  for (const name of Object.keys(data)) yield { ...pair, data: without(data, name) };
  for (const [i, clause] of clauses.entries()) {
    for (const smaller of smallerClauses(clause)) yield { ...pair, clauses: clauses.with(i, smaller) };
  }
  for (const [name, text] of Object.entries(input ?? {})) {
    for (const smaller of smallerTexts(text)) {
      if (isJson(smaller)) yield { ...pair, input: { ...input, [name]: smaller } };
    }
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function without<T>(members: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(members).filter(([each]) => each !== name));
}

function* smallerClauses(clause: Clause): Generator<Clause> {
  for (const head of smallerTexts(clause.head)) yield { ...clause, head };
  for (const [i, line] of clause.body.entries()) {
    for (const smaller of smallerTexts(line)) yield { ...clause, body: clause.body.with(i, smaller) };
  }
}

/** Replaces one bracketed group, with the name of a function before it, by its inside or something small. */
function* smallerTexts(text: string): Generator<string> {
  for (const [start, end] of groups(text)) {
    const inside = text.slice(start, end);
    const name = /[\w.]*$/.exec(text.slice(0, start))![0];
    const before = text.slice(0, start - name.length);
    const parts = topLevelParts(inside.slice(1, -1));
    for (const smaller of [...parts, ...SMALL_TERMS]) {
      const made = before + smaller + text.slice(end);
      if (made.length < text.length) yield made;
    }
    for (const i of parts.length > 1 ? parts.keys() : []) {
      yield text.slice(0, start + 1) + parts.toSpliced(i, 1).join(", ") + text.slice(end - 1);
    }
  }
}

/** Beginning and end of every balanced pair of brackets, outermost first; strings are passed over. */
function groups(text: string): [number, number][] {
  const found: [number, number][] = [];
  const open: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') i = endOfString(text, i);
    else if ("([{".includes(text[i]!)) open.push(i);
    else if (")]}".includes(text[i]!)) {
      const start = open.pop();
      if (start !== undefined) found.push([start, i + 1]);
    }
  }
  return found.sort(([a, b], [c, d]) => (d - c) - (b - a));
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}

/** The parts between commas and bars that stand in no inner brackets. */
function topLevelParts(text: string): string[] {
  const parts: string[] = [];
  let depth = 0, start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') i = endOfString(text, i);
    else if ("([{".includes(text[i]!)) depth++;
    else if (")]}".includes(text[i]!)) depth--;
    else if (depth === 0 && (text[i] === "," || text[i] === "|")) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return [...parts, text.slice(start).trim()].filter((part) => part !== "");
}
