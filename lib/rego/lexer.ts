// SPDX-License-Identifier: Apache-2.0
/** Cuts policy text into tokens, with the pieces of interpolated strings and the comments. */

import { type Limits, RegoError, RegoLimitError, type RegoLocation } from "./limits.ts";

/**
 * `part` is a piece of an interpolated string that an expression follows, `partEnd` its last piece; for strings and
 * pieces, `value` is the decoded text.
 */
export type TokenKind = "ident" | "number" | "string" | "part" | "partEnd" | "op" | "eof";

export interface Token {
  readonly kind: TokenKind;
  /** The characters of the token; for `op` also its identity. */
  readonly text: string;
  readonly value: string;
  /** Offsets in the text, in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly column: number;
  /** What stands between this token and the one before it. */
  readonly gap: "none" | "space" | "newline";
}

export interface Comment {
  /** Without the `#`. */
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

export interface Tokens {
  readonly tokens: readonly Token[];
  readonly comments: readonly Comment[];
}

const IDENT = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\r]+/y;
const OPERATORS = new Set([":=", "==", "!=", "<=", ">=", ..."=<>+-*/%&|()[]{},;.:"]);

/** Where an interpolated string goes on when the brace that opened its expression is closed. */
interface OpenTemplate {
  readonly raw: boolean;
  depth: number;
}

/**
 * Reads a whole module or query.
 *
 * @throws {RegoError} rego_parse_error for characters that are no token and strings that do not end.
 * @throws {RegoLimitError} for text or lines that are too long.
 */
export function tokenize(file: string, text: string, limits: Limits): Tokens {
  checkLengths(file, text, limits);
  const tokens: Token[] = [];
  const comments: Comment[] = [];
  const templates: OpenTemplate[] = [];
  let at = 0;
  let line = 1;
  let lineStart = 0;
  let gap = "newline" as Token["gap"];

  const fail = (message: string, offset = at): never => {
    throw new RegoError({
      code: "rego_parse_error",
      message,
      location: { file, line, column: offset - lineStart + 1 },
    });
  };

  /** Appends the token from `at` to `end`; it may span lines. */
  const push = (kind: TokenKind, end: number, value = ""): void => {
    const token = text.slice(at, end);
    tokens.push({ kind, text: token, value, start: at, end, line, column: at - lineStart + 1, gap });
    for (let i = token.indexOf("\n"); i >= 0; i = token.indexOf("\n", i + 1)) {
      line++;
      lineStart = at + i + 1;
    }
    at = end;
    gap = "none";
  };

  /** Reads a piece that begins at `at`; its characters begin `skip` after that. */
  const template = (raw: boolean, skip: number): void => {
    let end = at + skip;
    let body = "";
    for (;; end++) {
      const c = text[end];
      if (c === undefined || (c === "\n" && !raw)) fail("non-terminated template string");
      if (c === "\\" && text[end + 1] === "{") {
        body += "{";
        end++;
      } else if (c === "\\" && !raw) {
        body += c + (text[end + 1] ?? "");
        end++;
      } else if (c === (raw ? "`" : '"') || c === "{") break;
      else body += c;
    }
    const value = raw ? body : decode(`"${body}"`, fail);
    if (text[end] === "{") {
      push("part", end + 1, value);
      templates.push({ raw, depth: 0 });
    } else push("partEnd", end + 1, value);
  };

  for (const [character, name] of [["\ufeff", "byte-order mark"], ["\0", "null character"]] as const) {
    const found = text.indexOf(character, 1);
    if (found < 0) continue;
    line = text.slice(0, found).split("\n").length;
    lineStart = text.lastIndexOf("\n", found) + 1;
    fail(`illegal ${name}`, found);
  }

  for (;;) {
    SPACE.lastIndex = at;
    if (SPACE.test(text)) {
      at = SPACE.lastIndex;
      if (gap === "none") gap = "space";
      continue;
    }
    const c = text[at];
    if (c === undefined) break;
    if (c === "\n") {
      at++;
      line++;
      lineStart = at;
      gap = "newline";
      continue;
    }
    if (c === "#") {
      const end = text.indexOf("\n", at);
      const stop = end < 0 ? text.length : end;
      comments.push({ text: text.slice(at + 1, stop).replace(/\r$/, ""), line, column: at - lineStart + 1 });
      at = stop;
      if (gap === "none") gap = "space";
      continue;
    }
    const open = templates.at(-1);
    if (c === "}" && open?.depth === 0) {
      templates.pop();
      // The brace is a token of its own, so that the parser sees where the expression ends.
      push("op", at + 1);
      template(open.raw, 0);
      continue;
    }
    IDENT.lastIndex = at;
    if (IDENT.test(text)) {
      push("ident", IDENT.lastIndex);
      continue;
    }
    NUMBER.lastIndex = at;
    if (NUMBER.test(text)) {
      const end = NUMBER.lastIndex;
      if (/[A-Za-z_]/.test(text[end] ?? "")) fail("illegal number format");
      if (/^0[0-9]/.test(text.slice(at, end))) fail("expected number without leading zero");
      push("number", end);
      continue;
    }
    if (c === '"') {
      let end = at + 1;
      while (text[end] !== '"') {
        if (text[end] === undefined || text[end] === "\n") fail("non-terminated string");
        end += text[end] === "\\" ? 2 : 1;
      }
      push("string", end + 1, decode(text.slice(at, end + 1), fail));
      continue;
    }
    if (c === "`") {
      const end = text.indexOf("`", at + 1);
      if (end < 0) fail("non-terminated string");
      // As Go: raw strings lose their carriage returns only in files written on other systems, so none is dropped.
      push("string", end + 1, text.slice(at + 1, end));
      continue;
    }
    if (c === "$" && (text[at + 1] === '"' || text[at + 1] === "`")) {
      template(text[at + 1] === "`", 2);
      continue;
    }
    const pair = text.slice(at, at + 2);
    const op = OPERATORS.has(pair) ? pair : c;
    if (!OPERATORS.has(op)) return fail(`illegal token ${JSON.stringify(c)}`);
    if (open && op === "{") open.depth++;
    if (open && op === "}") open.depth--;
    push("op", at + op.length);
  }
  if (templates.length > 0) fail("non-terminated template string");
  push("eof", at);
  return { tokens, comments };
}

function checkLengths(file: string, text: string, limits: Limits): void {
  if (text.length > limits.maxModuleLength) {
    throw new RegoLimitError("maxModuleLength", `${file}: longer than ${limits.maxModuleLength} characters`);
  }
  let start = 0;
  for (let line = 1; start <= text.length; line++) {
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    if (end - start > limits.maxLineLength) {
      const location: RegoLocation = { file, line, column: 1 };
      throw new RegoLimitError("maxLineLength", `line longer than ${limits.maxLineLength} characters`, location);
    }
    start = end + 1;
  }
}

/** A Rego string is a JSON string; lone surrogates become U+FFFD as in Go. */
function decode(literal: string, fail: (message: string) => never): string {
  try {
    return (JSON.parse(literal) as string).toWellFormed();
  } catch {
    return fail("illegal string literal");
  }
}
