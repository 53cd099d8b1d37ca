// SPDX-License-Identifier: Apache-2.0
/** The parser's place in the tokens: looking, stepping, going back, failing. */

import type { Body, Term } from "./ast.ts";
import type { Token } from "./lexer.ts";
import { type Limits, RegoError, RegoLimitError, type RegoLocation } from "./limits.ts";

/** Words of Rego v1 that are not names, imports apart. */
const KEYWORDS = [
  "as",
  "contains",
  "default",
  "else",
  "every",
  "false",
  "if",
  "import",
  "in",
  "not",
  "null",
  "package",
  "some",
  "true",
  "with",
];

/** What one attempt to read something gave. */
type Attempt<T> = { readonly node: T; readonly end: number } | { readonly error: unknown };

/**
 * Thrown where the text cannot be read on. Trying and going back is normal here, so it is no Error, whose stack
 * costs more than the parsing; readAll() makes one of it in the end.
 */
export class ParseFailure {
  readonly message: string;
  readonly location: RegoLocation;
  readonly hint: string | undefined;

  constructor(message: string, location: RegoLocation, hint: string | undefined) {
    this.message = message;
    this.location = location;
    this.hint = hint;
  }
}

/** Runs a parser. @throws {RegoError} rego_parse_error. */
export function readAll<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ParseFailure)) throw error;
    const { message, location, hint } = error;
    throw new RegoError({ code: "rego_parse_error", message, location, hint });
  }
}

export interface Cursor {
  readonly file: string;
  readonly text: string;
  readonly limits: Limits;
  /** Words that are keywords here; imports add `and` and `or`. */
  readonly keywords: Set<string>;
  /** `not` takes bodies: `import future.keywords.not`. */
  notBodies: boolean;
  /** Index of the token looked at. */
  position: number;
  /** Terms and bodies that were read already, by the index they begin at: going back must not cost twice. */
  readonly terms: Map<number, { readonly node: Term; readonly end: number }>;
  readonly bodies: Map<number, Attempt<Body>>;
  /** The token looked at, or one after it. */
  peek(ahead?: number): Token;
  /** Takes the token looked at. */
  next(): Token;
  /** True when the token is this operator. */
  isOp(text: string, ahead?: number): boolean;
  /** True when the token is this keyword, active in this module. */
  isKeyword(word: string, ahead?: number): boolean;
  /** Takes the operator if it is there. */
  takeOp(text: string): boolean;
  /** Takes the keyword if it is there. */
  takeKeyword(word: string): boolean;
  /** Takes the operator, or fails saying `expected`. */
  expectOp(text: string): Token;
  location(token?: Token): RegoLocation;
  /** The text from a token's start to the end of the last one taken. */
  textFrom(token: Token): string;
  fail(message: string, at?: Token | RegoLocation, hint?: string): never;
  /** Runs `read` one level deeper. @throws {RegoLimitError} when that is too deep. */
  nested<T>(read: () => T): T;
  /** Tries `read`; when it fails to parse, goes back and gives undefined. */
  attempt<T>(read: () => T): T | undefined;
}

export function createCursor(file: string, text: string, tokens: readonly Token[], limits: Limits): Cursor {
  let depth = 0;
  const last = tokens[tokens.length - 1] as Token;
  const cursor: Cursor = {
    file,
    text,
    limits,
    keywords: new Set(KEYWORDS),
    notBodies: false,
    position: 0,
    terms: new Map(),
    bodies: new Map(),
    peek: (ahead = 0) => tokens[cursor.position + ahead] ?? last,
    next() {
      const token = cursor.peek();
      if (token !== last) cursor.position++;
      return token;
    },
    isOp(operator, ahead = 0) {
      const token = cursor.peek(ahead);
      return token.kind === "op" && token.text === operator;
    },
    isKeyword(word, ahead = 0) {
      const token = cursor.peek(ahead);
      if (token.kind !== "ident" || token.text !== word || !cursor.keywords.has(word)) return false;
      // `if.x` and `with["x"]` are references.
      return cursor.peek(ahead + 1).gap !== "none" || !(cursor.isOp(".", ahead + 1) || cursor.isOp("[", ahead + 1));
    },
    takeOp(operator) {
      if (!cursor.isOp(operator)) return false;
      cursor.position++;
      return true;
    },
    takeKeyword(word) {
      if (!cursor.isKeyword(word)) return false;
      cursor.position++;
      return true;
    },
    expectOp(operator) {
      if (!cursor.isOp(operator)) cursor.fail(`unexpected ${describe(cursor.peek())}: expected ${operator}`);
      return cursor.next();
    },
    location: (token = cursor.peek()) => ({ file, line: token.line, column: token.column }),
    textFrom: (token) => text.slice(token.start, tokens[cursor.position - 1]?.end ?? token.end),
    fail(message, at = cursor.peek(), hint) {
      const location = "kind" in at ? cursor.location(at) : at;
      throw new ParseFailure(message, location, hint);
    },
    nested(read) {
      if (++depth > limits.maxNesting) {
        throw new RegoLimitError("maxNesting", `nested deeper than ${limits.maxNesting}`, cursor.location());
      }
      try {
        return read();
      } finally {
        depth--;
      }
    },
    attempt(read) {
      const start = cursor.position;
      const startDepth = depth;
      try {
        return read();
      } catch (error) {
        if (!(error instanceof ParseFailure)) throw error;
        cursor.position = start;
        depth = startDepth;
        return undefined;
      }
    },
  };
  return cursor;
}

/** A token as error messages name it. */
export function describe(token: Token): string {
  switch (token.kind) {
    case "eof":
      return "end of file";
    case "ident":
      return `identifier ${token.text}`;
    case "op":
      return `${token.text} token`;
    default:
      return `${token.kind} token`;
  }
}
