// SPDX-License-Identifier: Apache-2.0
/** Reads a module: its package, its imports and its rules; or a query. */

import type { Body, Import, Module, Rule, RuleHead, Term } from "./ast.ts";
import { createCursor, type Cursor, describe, readAll } from "./cursor.ts";
import { type Comment, type Token, tokenize } from "./lexer.ts";
import type { Limits } from "./limits.ts";
import { parseBody, parseLiteral, startsKeywordRef } from "./parse_bodies.ts";
import { asRef, parseInfix, parseRef, parseTerm, parseVar } from "./parse_terms.ts";

/** Keywords that `import future.keywords` may name; those of Rego v1 are on already. */
const FUTURE_KEYWORDS = ["and", "contains", "every", "if", "in", "not", "or"];

const V0_HINT = "this looks like Rego v0: write `if` before a body and `contains` for a set, see `opa fmt --v0-v1`";

/** What the module's text holds besides the module. */
export interface ParsedModule extends Module {
  readonly comments: readonly Comment[];
}

/**
 * Reads one file.
 *
 * @throws {RegoError} rego_parse_error.
 * @throws {RegoLimitError} when the text is too long or too deep.
 */
export function parseModule(file: string, text: string, limits: Limits): ParsedModule {
  return readAll(() => parseModuleHere(file, text, limits));
}

function parseModuleHere(file: string, text: string, limits: Limits): ParsedModule {
  const { tokens, comments } = tokenize(file, text, limits);
  const c = createCursor(file, text, tokens, limits);
  if (c.peek().kind === "eof") c.fail("empty module");
  if (!c.isKeyword("package")) c.fail("package expected");
  const packageLoc = c.location();
  const path = parsePackage(c);
  const imports: Import[] = [];
  const rules: Rule[] = [];
  while (c.peek().kind !== "eof") {
    if (c.isKeyword("package") && !startsKeywordRef(c)) {
      c.fail("unexpected package: a module has one, at its beginning");
    }
    if (c.isKeyword("import") && !startsKeywordRef(c)) imports.push(parseImport(c));
    else rules.push(...parseRules(c));
  }
  return { file, package: path, packageLoc, imports, rules, comments };
}

/**
 * Reads a query; newlines and `;` separate its expressions.
 *
 * @throws {RegoError} rego_parse_error.
 */
export function parseQuery(file: string, text: string, limits: Limits): Body {
  const { tokens } = tokenize(file, text, limits);
  return readAll(() => parseBody(createCursor(file, text, tokens, limits), ""));
}

function parsePackage(c: Cursor): string[] {
  c.next();
  return parsePath(c, "package");
}

/** Reads a reference of names only; its first name may be a keyword. */
function parsePath(c: Cursor, what: string): string[] {
  const start = c.peek();
  if (start.kind !== "ident") c.fail(`unexpected ${describe(start)}: expected a path after ${what}`);
  const head = parseVar(c);
  const continued = c.peek().gap === "none" && (c.isOp(".") || c.isOp("["));
  const ref = continued ? parseRef(c, head) : asRef(head);
  if (ref?.kind !== "ref" || ref.head.kind !== "var") return c.fail(`illegal ${what} path`, start);
  const path = [ref.head.name];
  for (const part of ref.path) {
    if (part.kind !== "scalar" || typeof part.value !== "string") c.fail(`${what} path must be of strings`, part.loc);
    else path.push(part.value);
  }
  return path;
}

function parseImport(c: Cursor): Import {
  const loc = c.location(c.next());
  const start = c.peek();
  const path = parsePath(c, "import");
  const root = path[0] as string;
  if (!["data", "input", "future", "rego"].includes(root)) {
    c.fail(`unexpected import path, must begin with one of: {data, future, input, rego}, got: ${root}`, start);
  }
  let alias: string | undefined;
  if (c.takeKeyword("as")) {
    const token = c.next();
    if (token.kind !== "ident" || c.keywords.has(token.text)) c.fail("expected var after as", token);
    if (token.text === "input" || token.text === "data") {
      c.fail(`unexpected import alias, must not be a reserved name, got: ${token.text}`, token);
    }
    alias = token.text;
    if (root === "future" || root === "rego") c.fail(`\`${root}\` imports cannot be aliased`, token);
  } else if (root === "data" || root === "input") {
    const name = path.at(-1) as string;
    if (c.keywords.has(name)) c.fail(`unexpected import path, must not end with a keyword, got: ${name}`, start);
  }
  if (root === "future") importFuture(c, path, start);
  if (root === "rego") importVersion(c, path, start);
  return { path, alias, loc };
}

function importFuture(c: Cursor, path: readonly string[], start: Token): void {
  const word = path[2];
  if (path[1] !== "keywords" || path.length > 3) c.fail("invalid import, must be `future.keywords`", start);
  if (word !== undefined && !FUTURE_KEYWORDS.includes(word)) {
    c.fail(`unexpected keyword, must be one of ${FUTURE_KEYWORDS.join(", ")}`, start);
  }
  addKeywords(c, word === undefined ? FUTURE_KEYWORDS : [word]);
}

function importVersion(c: Cursor, path: readonly string[], start: Token): void {
  if (path.length !== 2 || (path[1] !== "v1" && path[1] !== "v2")) {
    c.fail("invalid import, must be one of: `rego.v1`, `rego.v2`", start);
  }
  if (path[1] === "v2") addKeywords(c, FUTURE_KEYWORDS);
}

function addKeywords(c: Cursor, words: readonly string[]): void {
  for (const word of words) {
    if (word === "not") c.notBodies = true;
    c.keywords.add(word);
  }
}

function parseRules(c: Cursor): Rule[] {
  const start = c.peek();
  const isDefault = !startsKeywordRef(c) && c.takeKeyword("default");
  checkName(c);
  const { head, bare } = parseHead(c);
  if (isDefault) return [parseDefault(c, start, head, bare)];
  const body = parseRuleBody(c, head);
  if (body === undefined) return [parseBare(c, start, head, bare)];
  if (c.isKeyword("else") && !startsKeywordRef(c)) return [parseElseRule(c, start, head, body)];
  const rules: Rule[] = [{ head, isDefault, body, otherwise: undefined, loc: c.location(start) }];
  while (c.isOp("{")) {
    const loc = c.location(c.next());
    rules.push({ head, isDefault, body: parseBody(c, "}"), otherwise: undefined, loc });
  }
  return rules;
}

function checkName(c: Cursor): void {
  const token = c.peek();
  if (token.kind !== "ident") c.fail(`unexpected ${describe(token)}: expected a rule`);
  if (c.keywords.has(token.text) && !startsKeywordRef(c)) {
    c.fail(`${token.text} keyword cannot be used for rule name`);
  }
}

/** `bare`: neither a value nor a member was written. */
function parseHead(c: Cursor): { head: RuleHead; bare: boolean } {
  const start = c.peek();
  const name = parseVar(c);
  let term: Term = name;
  const sameLine = c.peek().gap !== "newline";
  if (sameLine && (c.isOp("(") || c.isOp("[") || c.isOp("."))) term = parseHeadRef(c, name);
  let path: readonly Term[] = [];
  let args: readonly Term[] | undefined;
  if (term.kind === "ref" && term.head.kind === "var") path = term.path;
  else if (term.kind === "call") {
    args = term.args;
    path = term.operator.slice(1).map((value) => ({ kind: "scalar", value, loc: term.loc }));
  } else if (term !== name) c.fail("illegal rule head", start);
  const loc = c.location(start);
  const yes: Term = { kind: "scalar", value: true, loc };
  const head = { name, path, args, member: undefined, value: yes, assigned: false, loc };
  if (c.takeKeyword("contains")) {
    if (args !== undefined) c.fail("the contains keyword can only be used with multi-value rule definitions");
    return { head: { ...head, member: parseInfix(c) }, bare: false };
  }
  const assigned = c.isOp(":=");
  if (c.takeOp(":=") || c.takeOp("=")) return { head: { ...head, value: parseInfix(c), assigned }, bare: false };
  return { head, bare: true };
}

/** A space may stand between the name and what follows. */
function parseHeadRef(c: Cursor, name: Term): Term {
  if (c.peek().gap === "none") return parseRef(c, name);
  if (!c.isOp("(")) c.fail(`unexpected ${describe(c.peek())}`);
  c.next();
  const args: Term[] = [];
  while (!c.takeOp(")")) {
    args.push(parseInfix(c, false));
    if (!c.isOp(")") && !c.takeOp(",")) c.fail('expected "," or ")"');
  }
  return { kind: "call", operator: [name.kind === "var" ? name.name : ""], args, loc: name.loc };
}

/** Reads `if …`; undefined when there is no body. */
function parseRuleBody(c: Cursor, head: RuleHead): Body | undefined {
  if (c.isOp("{")) c.fail("`if` keyword is required before rule body", c.peek(), V0_HINT);
  if (!c.takeKeyword("if")) {
    if (head.member === undefined) return undefined;
    return trueBody(head.loc);
  }
  return parseIfBody(c);
}

/** After `if`: one expression, or a body in braces. */
function parseIfBody(c: Cursor): Body {
  const start = c.position;
  const token = c.peek();
  if (!c.isOp("{")) return [parseLiteral(c)];
  const expr = c.attempt(() => {
    const literal = parseLiteral(c);
    // A set is never false, so these braces are those of a body.
    const isSet = literal.what.kind === "term" && literal.what.term.kind === "set";
    return isSet ? c.fail("a set", token) : literal;
  });
  if (expr !== undefined) return [expr];
  c.position = start + 1;
  return parseBody(c, "}");
}

export function trueBody(loc: Rule["loc"]): Body {
  const what = { kind: "term", term: { kind: "scalar", value: true, loc } } as const;
  return [{ what, negated: false, withs: [], loc, text: "true", generated: true }];
}

function parseDefault(c: Cursor, start: Token, head: RuleHead, bare: boolean): Rule {
  if (bare || head.member !== undefined) c.fail("illegal default rule (must have a value)", start);
  const names = new Set<string>();
  for (const arg of head.args ?? []) {
    if (arg.kind !== "var") return c.fail(`illegal default rule (arguments cannot contain ${arg.kind})`, arg.loc);
    if (names.has(arg.name)) c.fail(`illegal default rule (arguments cannot be repeated ${arg.name})`, arg.loc);
    names.add(arg.name);
  }
  const wrong = notConstant(head.value);
  if (wrong) c.fail(`illegal default rule (value cannot contain ${wrong.kind})`, wrong.loc);
  return { head, isDefault: true, body: trueBody(head.loc), otherwise: undefined, loc: c.location(start) };
}

/** The first part of a default value that is not constant; comprehensions close over nothing and may stand there. */
function notConstant(term: Term): Term | undefined {
  switch (term.kind) {
    case "scalar":
    case "comprehension":
      return undefined;
    case "array":
    case "set":
      return term.items.map(notConstant).find((wrong) => wrong);
    case "object":
      return term.pairs.flat().map(notConstant).find((wrong) => wrong);
    default:
      return term;
  }
}

/** A rule without a body: `p := 1`. */
function parseBare(c: Cursor, start: Token, head: RuleHead, bare: boolean): Rule {
  if (bare) {
    // OPA takes it for a function that is always true: more likely its body was forgotten.
    if (head.args) c.fail("a function has a value or a body: := true, if it holds for everything", start, V0_HINT);
    const isPath = head.path.length > 0;
    const message = isPath
      ? "`contains` keyword is required for partial set rules"
      : "var cannot be used for rule name";
    c.fail(message, start, V0_HINT);
  }
  if (c.isOp(";")) c.fail("unexpected ; after a rule");
  if (c.isKeyword("else")) c.fail("unexpected else keyword: the rule has no body");
  return { head, isDefault: false, body: trueBody(head.loc), otherwise: undefined, loc: c.location(start) };
}

function parseElseRule(c: Cursor, start: Token, head: RuleHead, body: Body): Rule {
  if (head.path.some((part) => part.kind !== "scalar")) {
    c.fail("else keyword cannot be used on rules with variables in head");
  }
  if (head.member !== undefined) c.fail("else keyword cannot be used on multi-value rules");
  const otherwise = parseElse(c, head);
  if (c.isOp("{")) c.fail("expected else keyword");
  return { head, isDefault: false, body, otherwise, loc: c.location(start) };
}

function parseElse(c: Cursor, original: RuleHead): Rule {
  return c.nested(() => {
    const loc = c.location(c.next());
    let head: RuleHead = { ...original, value: { kind: "scalar", value: true, loc }, loc };
    const assigned = c.isOp(":=");
    const hasValue = c.takeOp(":=") || c.takeOp("=");
    if (hasValue) head = { ...head, value: parseInfix(c), assigned };
    if (c.isOp("{")) c.fail("`if` keyword is required before rule body", c.peek(), V0_HINT);
    if (!c.takeKeyword("if")) {
      if (!hasValue) c.fail("expected else value term or rule body");
      return { head, isDefault: false, body: trueBody(loc), otherwise: undefined, loc };
    }
    const body = parseIfElseBody(c);
    const more = c.isKeyword("else") && !startsKeywordRef(c);
    return { head, isDefault: false, body, otherwise: more ? parseElse(c, original) : undefined, loc };
  });
}

/** After `else … if`: braces are always a body. */
function parseIfElseBody(c: Cursor): Body {
  if (!c.takeOp("{")) return [parseLiteral(c)];
  return parseBody(c, "}");
}

/** Reads a reference such as `data.a.b` on its own. @throws {RegoError} rego_parse_error for anything else. */
export function parseReference(file: string, text: string, limits: Limits): Term {
  const { tokens } = tokenize(file, text, limits);
  const c = createCursor(file, text, tokens, limits);
  return readAll(() => {
    const term = parseTerm(c);
    if (c.peek().kind !== "eof") c.fail(`unexpected ${describe(c.peek())}`);
    return term;
  });
}
