// SPDX-License-Identifier: Apache-2.0
/** Reads terms: scalars, references, calls, collections, comprehensions and infix operators. */

import type { Body, CallTerm, Expr, RefTerm, Term, VarTerm } from "./ast.ts";
import { type Cursor, describe, ParseFailure } from "./cursor.ts";
import type { Token } from "./lexer.ts";
import { parseNumber } from "./numbers.ts";
import { type Key, keyOf } from "./values.ts";
// Comprehensions hold bodies and bodies hold terms, so the two files need each other.
import { parseBody, parseLiteral, startsKeywordRef } from "./parse_bodies.ts";

/** Infix operators: the builtins they mean, and how tightly they bind. `in` is looser than all of them. */
const INFIX: ReadonlyMap<string, { readonly operator: readonly [string]; readonly level: number }> = new Map([
  ["==", { operator: ["equal"], level: 1 }],
  ["!=", { operator: ["neq"], level: 1 }],
  ["<", { operator: ["lt"], level: 1 }],
  [">", { operator: ["gt"], level: 1 }],
  ["<=", { operator: ["lte"], level: 1 }],
  [">=", { operator: ["gte"], level: 1 }],
  ["|", { operator: ["or"], level: 2 }],
  ["&", { operator: ["and"], level: 3 }],
  ["+", { operator: ["plus"], level: 4 }],
  ["-", { operator: ["minus"], level: 4 }],
  ["*", { operator: ["mul"], level: 5 }],
  ["/", { operator: ["div"], level: 5 }],
  ["%", { operator: ["rem"], level: 5 }],
]);

/** Reads a term with infix operators; `pair` allows `key, value in domain`, which a list of terms does not. */
export function parseInfix(c: Cursor, pair = true): Term {
  return c.nested(() => parseIn(c, pair));
}

function parseIn(c: Cursor, pair: boolean): Term {
  const start = c.peek();
  let left = parseBinary(c, 0);
  for (;;) {
    if (pair && c.isOp(",")) {
      const key = left;
      const member = c.attempt(() => {
        c.next();
        const value = parseBinary(c, 0);
        if (!c.takeKeyword("in")) c.fail("expected in");
        return call(c, ["internal", "member_3"], [key, value, parseBinary(c, 0)], start);
      });
      if (member === undefined) return left;
      left = member;
    } else if (c.isKeyword("in")) {
      c.next();
      left = call(c, ["internal", "member_2"], [left, parseBinary(c, 0)], start);
    } else return left;
  }
}

/** Reads operators that bind more tightly than `level`, from the left. */
function parseBinary(c: Cursor, level: number): Term {
  const start = c.peek();
  let left = parseTerm(c);
  for (;;) {
    const token = c.peek();
    const infix = token.kind === "op" ? INFIX.get(token.text) : undefined;
    if (infix === undefined || infix.level <= level) return left;
    c.next();
    left = call(c, infix.operator, [left, parseBinary(c, infix.level)], start);
  }
}

function call(c: Cursor, operator: readonly string[], args: readonly Term[], start: Token): CallTerm {
  return { kind: "call", operator, args, loc: c.location(start) };
}

/** Reads a term without infix operators. */
export function parseTerm(c: Cursor): Term {
  const start = c.position;
  const known = c.terms.get(start);
  if (known) {
    c.position = known.end;
    return known.node;
  }
  const node = c.nested(() => parseFinish(c, parseHead(c)));
  c.terms.set(start, { node, end: c.position });
  return node;
}

function parseHead(c: Cursor): Term {
  const token = c.peek();
  const loc = c.location(token);
  switch (token.kind) {
    case "number":
      return parseNumeral(c, "");
    case "string":
      c.next();
      return { kind: "scalar", value: token.value, loc };
    case "part":
    case "partEnd":
      return parseTemplate(c);
    case "ident":
      return parseName(c);
    case "op":
      if (token.text === "[") return parseArray(c);
      if (token.text === "{") return parseBraces(c);
      if (token.text === "(") return parseParentheses(c);
      if (token.text === "-") return parseMinus(c);
      if (token.text === "." && c.peek(1).kind === "number" && c.peek(1).gap === "none") {
        c.next();
        return parseNumeral(c, "0.");
      }
  }
  return c.fail(`unexpected ${describe(token)}`);
}

function parseName(c: Cursor): Term {
  const token = c.peek();
  const loc = c.location(token);
  const { text } = token;
  if (startsKeywordRef(c)) return parseVar(c);
  if (text === "null" || text === "true" || text === "false") {
    c.next();
    return { kind: "scalar", value: text === "null" ? null : text === "true", loc };
  }
  // `and(x, y)` and `or(x, y)` call the set builtins even where the words are operators.
  const isCall = (text === "and" || text === "or") && c.isOp("(", 1) && c.peek(1).gap === "none";
  if (c.keywords.has(text) && text !== "contains" && !isCall) {
    c.fail(`unexpected ${text} keyword`, token);
  }
  return parseVar(c);
}

/** Reads a name whether or not it is a keyword; `_` becomes a name of its own. */
export function parseVar(c: Cursor): VarTerm {
  const position = c.position;
  const token = c.next();
  return { kind: "var", name: token.text === "_" ? `_$${position}` : token.text, loc: c.location(token) };
}

function parseNumeral(c: Cursor, sign: string): Term {
  const token = c.next();
  const value = parseNumber(sign + token.text);
  if (value === undefined) return c.fail("number too big", token);
  return { kind: "scalar", value, loc: c.location(token) };
}

function parseMinus(c: Cursor): Term {
  const token = c.next();
  const operand = c.peek();
  if (operand.kind === "number") return parseNumeral(c, "-");
  if (operand.kind !== "ident") c.fail("expected number");
  // The minus takes the whole reference: -input.x is 0 - input.x.
  const zero: Term = { kind: "scalar", value: 0, loc: c.location(token) };
  return call(c, ["minus"], [zero, parseFinish(c, parseName(c))], token);
}

function parseParentheses(c: Cursor): Term {
  c.next();
  const term = parseInfix(c);
  if (!c.isOp(")")) c.fail("non-terminated expression");
  c.next();
  return term;
}

function parseTemplate(c: Cursor): Term {
  const first = c.peek();
  const parts: (string | Expr)[] = [];
  for (;;) {
    const piece = c.next();
    if (piece.value !== "") parts.push(piece.value);
    if (piece.kind === "partEnd") break;
    const start = c.peek();
    const expr = parseLiteral(c);
    const what = expr.what;
    const isTerm = what.kind === "term" || (what.kind === "call" && what.operator[0] !== "eq");
    if (expr.negated || !isTerm || (what.kind === "call" && what.operator[0] === "assign")) {
      c.fail("only a value may stand in a template-string expression", start);
    }
    parts.push(expr);
    if (!c.isOp("}")) c.fail("expected } to end template string expression");
    c.next();
  }
  return { kind: "template", parts, loc: c.location(first) };
}

/** True when the token continues a reference: nothing may stand before it. */
function continues(c: Cursor, operator: string): boolean {
  return c.isOp(operator) && c.peek().gap === "none";
}

function parseFinish(c: Cursor, head: Term): Term {
  if (continues(c, "(") || continues(c, ".") || continues(c, "[")) return parseRef(c, head);
  const isRoot = head.kind === "var" && (head.name === "input" || head.name === "data");
  return isRoot ? { kind: "ref", head, path: [], loc: head.loc } : head;
}

/** Reads what follows `head`: `.name`, `[term]` and `(arguments)`. */
export function parseRef(c: Cursor, head: Term): Term {
  if (head.kind === "scalar" || head.kind === "template") {
    c.fail(`illegal ref (head cannot be ${head.kind})`, head.loc);
  }
  const path: Term[] = [];
  for (;;) {
    if (continues(c, ".")) {
      c.next();
      const name = c.peek();
      if (name.kind !== "ident" || name.gap !== "none") c.fail("expected identifier after .");
      c.next();
      path.push({ kind: "scalar", value: name.text, loc: c.location(name) });
    } else if (continues(c, "[")) {
      c.next();
      path.push(parseInfix(c));
      c.expectOp("]");
    } else if (continues(c, "(")) {
      const applied = parseCall(c, head, path);
      return continues(c, ".") || continues(c, "[") ? c.nested(() => parseRef(c, applied)) : applied;
    } else {
      return { kind: "ref", head, path, loc: head.loc };
    }
  }
}

function parseCall(c: Cursor, head: Term, path: readonly Term[]): Term {
  const operator: string[] = [];
  for (const part of [head, ...path]) {
    if (part === head && head.kind === "var") operator.push(head.name);
    else if (part !== head && part.kind === "scalar" && typeof part.value === "string") operator.push(part.value);
    else c.fail("the name of a function must be constant", part.loc);
  }
  c.next();
  const args = parseList(c, ")", []);
  const { loc } = head;
  if (operator.length === 1 && operator[0] === "set" && args.length === 0) return { kind: "set", items: [], loc };
  return { kind: "call", operator, args, loc };
}

/** Reads terms separated by commas up to and with `end`; a comma may stand before the end. */
function parseList(c: Cursor, end: string, items: Term[]): Term[] {
  while (!c.takeOp(end)) {
    items.push(parseInfix(c, false));
    if (!c.isOp(end) && !c.takeOp(",")) c.fail(`unexpected ${describe(c.peek())}: expected "," or "${end}"`);
  }
  return items;
}

/** Reads the body of a comprehension after `|`; undefined, having gone back, when it is none. */
function parseComprehensionBody(c: Cursor, end: string): { body?: Body; error?: unknown } {
  const start = c.position;
  try {
    c.next();
    return { body: parseBody(c, end) };
  } catch (error) {
    if (!(error instanceof ParseFailure)) throw error;
    c.position = start;
    return { error };
  }
}

function parseArray(c: Cursor): Term {
  const loc = c.location(c.next());
  if (c.takeOp("]")) return { kind: "array", items: [], loc };
  const start = c.position;
  // A term without operators first, so that [x | …] is a comprehension and not a union.
  const first = parseTerm(c);
  if (c.isOp("|")) {
    const { body, error } = parseComprehensionBody(c, "]");
    if (body) return { kind: "comprehension", of: "array", key: undefined, value: first, body, loc };
    return { kind: "array", items: listInstead(c, start, "]", error), loc };
  }
  c.position = start;
  return { kind: "array", items: parseList(c, "]", []), loc };
}

/** Reads a list where no comprehension could be read; when that fails too, the first error is the useful one. */
function listInstead(c: Cursor, start: number, end: string, error: unknown): Term[] {
  c.position = start;
  const items = c.attempt(() => {
    const list = parseList(c, end, []);
    return list.length > 1 ? list : c.fail("not a list");
  });
  if (items === undefined) throw error;
  return items;
}

function parseBraces(c: Cursor): Term {
  const loc = c.location(c.next());
  if (c.takeOp("}")) return { kind: "object", pairs: [], loc };
  const start = c.position;
  let first = parseTerm(c);
  if (c.isOp("|")) {
    const { body, error } = parseComprehensionBody(c, "}");
    if (body) return { kind: "comprehension", of: "set", key: undefined, value: first, body, loc };
    return { kind: "set", items: listInstead(c, start, "}", error), loc };
  }
  if (!c.isOp(":") && !c.isOp(",") && !c.isOp("}")) {
    c.position = start;
    first = parseInfix(c, false);
  }
  if (c.isOp(":")) return parseObject(c, first, loc);
  c.position = start;
  return { kind: "set", items: parseList(c, "}", []), loc };
}

function parseObject(c: Cursor, key: Term, loc: Term["loc"]): Term {
  c.next();
  const start = c.position;
  let value = parseTerm(c);
  if (c.isOp("|")) {
    const { body, error } = parseComprehensionBody(c, "}");
    if (body) return { kind: "comprehension", of: "object", key, value, body, loc };
    c.position = start;
    const union = c.attempt(() => {
      const term = parseInfix(c, false);
      return c.isOp(",") || c.isOp("}") ? term : c.fail("non-terminated object");
    });
    if (union === undefined) throw error;
    value = union;
  } else if (!c.isOp(",") && !c.isOp("}")) {
    c.position = start;
    value = parseInfix(c, false);
  }
  const pairs: [Term, Term][] = [[key, value]];
  while (!c.takeOp("}")) {
    if (!c.takeOp(",")) c.fail(`unexpected ${describe(c.peek())}: expected "," or "}"`);
    if (c.takeOp("}")) break;
    const nextKey = parseInfix(c, false);
    if (!c.isOp(":")) c.fail(`unexpected ${describe(c.peek())}: expected ":"`);
    c.next();
    pairs.push([nextKey, parseInfix(c, false)]);
  }
  return { kind: "object", pairs: lastOfEach(pairs), loc };
}

/** Of pairs with the same constant key the last one counts, even when it is undefined. */
function lastOfEach(pairs: readonly (readonly [Term, Term])[]): (readonly [Term, Term])[] {
  const constants = new Map<Key, number>();
  const result: (readonly [Term, Term])[] = [];
  for (const [key, value] of pairs) {
    const known = key.kind === "scalar" ? constants.get(keyOf(key.value)) : undefined;
    if (known !== undefined) {
      result[known] = [(result[known] as readonly [Term, Term])[0], value];
      continue;
    }
    if (key.kind === "scalar") constants.set(keyOf(key.value), result.length);
    result.push([key, value]);
  }
  return result;
}

/** The reference of a `with` target or import: a name and constant parts. */
export function asRef(term: Term): RefTerm | undefined {
  if (term.kind === "ref") return term;
  return term.kind === "var" ? { kind: "ref", head: term, path: [], loc: term.loc } : undefined;
}
