// SPDX-License-Identifier: Apache-2.0
/** Finds where a text stops being JSON, without quoting any of it: V8's own messages do, and the text may hold a key. */

/** White space and one token; group 1 punctuation, group 2 string, group 3 number or word (RFC 8259). */
const TOKEN =
  /[ \t\n\r]*(?:([{}[\]:,])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|true\b|false\b|null\b))/y;

/** What may come next. */
type Expected = "value" | "valueOrEnd" | "key" | "keyOrEnd" | "colon" | "commaOrEnd" | "nothing";

export interface TextPosition {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

/** Answers the place of the first token that does not fit, or undefined if the whole text is one JSON value. */
export function jsonErrorPosition(text: string): TextPosition | undefined {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  TOKEN.lastIndex = 0;
  for (;;) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      const at = from + leadingSpace(text, from);
      return at === text.length && expected === "nothing" ? undefined : positionOf(text, at);
    }
    const next = step(expected, open, match);
    if (next === undefined) return positionOf(text, from + leadingSpace(text, from));
    expected = next;
  }
}

function step(expected: Expected, open: ("{" | "[")[], match: RegExpExecArray): Expected | undefined {
  const mark = match[1];
  const isString = match[2] !== undefined;
  const isValue = mark === undefined;
  switch (expected) {
    case "value":
    case "valueOrEnd":
      if (mark === "{" || mark === "[") {
        open.push(mark);
        return mark === "{" ? "keyOrEnd" : "valueOrEnd";
      }
      if (isValue) return afterValue(open);
      return expected === "valueOrEnd" && mark === "]" ? close(open) : undefined;
    case "key":
    case "keyOrEnd":
      if (isString) return "colon";
      return expected === "keyOrEnd" && mark === "}" ? close(open) : undefined;
    case "colon":
      return mark === ":" ? "value" : undefined;
    case "commaOrEnd":
      if (mark === ",") return open.at(-1) === "{" ? "key" : "value";
      return mark === (open.at(-1) === "{" ? "}" : "]") ? close(open) : undefined;
    case "nothing":
      return undefined;
  }
}

function close(open: ("{" | "[")[]): Expected {
  open.pop();
  return afterValue(open);
}

const afterValue = (open: readonly string[]): Expected => open.length === 0 ? "nothing" : "commaOrEnd";

function leadingSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\n\r".includes(text.charAt(at))) at++;
  return at - from;
}

function positionOf(text: string, at: number): TextPosition {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: at - lineStart + 1 };
}
