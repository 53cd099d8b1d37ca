// SPDX-License-Identifier: Apache-2.0
/** Reads bodies and their expressions: `some`, `every`, `not`, `with`, `:=`, `=`. */

import type { Body, Expr, ExprKind, Term, VarTerm, With } from "./ast.ts";
import { type Cursor, describe } from "./cursor.ts";
import type { Token } from "./lexer.ts";
import { logicalActive, parseGroup, parseLogicalTail, parseStatementBraces } from "./parse_logic.ts";
import { asRef, parseInfix, parseTerm, parseVar } from "./parse_terms.ts";

/** Reads expressions up to and with `end` (an operator, or "" for the end of the text). */
export function parseBody(c: Cursor, end: string): Body {
  const start = c.position;
  const known = c.bodies.get(start);
  if (known && "error" in known) throw known.error;
  if (known) {
    c.position = known.end;
    return known.node;
  }
  try {
    const node = c.nested(() => parseExpressions(c, end));
    c.bodies.set(start, { node, end: c.position });
    return node;
  } catch (error) {
    c.bodies.set(start, { error });
    throw error;
  }
}

function parseExpressions(c: Cursor, end: string): Body {
  const atEnd = () => end === "" ? c.peek().kind === "eof" : c.isOp(end);
  if (atEnd()) c.fail("found empty body");
  const body: Expr[] = [];
  for (;;) {
    body.push(parseLiteral(c));
    if (c.takeOp(";")) continue;
    if (atEnd()) {
      if (end !== "") c.next();
      return body;
    }
    if (c.peek().gap !== "newline") {
      const word = c.peek().text;
      const hint = word === "in" || word === "and" || word === "or"
        ? `\`import future.keywords.${word}\` for \`x ${word} y\` expressions`
        : undefined;
      c.fail(`unexpected ${describe(c.peek())}: expected \\n or ; or ${end || "end of query"}`, c.peek(), hint);
    }
  }
}

/** Wraps what was read since `start`. */
export function makeExpr(c: Cursor, start: Token, what: ExprKind, rest: Partial<Expr> = {}): Expr {
  return { what, negated: false, withs: [], loc: c.location(start), text: c.textFrom(start), ...rest };
}

/** Reads one expression of a body. */
export function parseLiteral(c: Cursor): Expr {
  return c.nested(() => parseLiteralHere(c));
}

function parseLiteralHere(c: Cursor): Expr {
  const start = c.peek();
  if (logicalActive(c)) {
    const grouped = c.isOp("{") ? parseStatementBraces(c) : c.isOp("(") ? parseGroup(c, false) : undefined;
    if (grouped && "what" in grouped) return grouped;
    if (grouped) return finishOperand(c, start, grouped.body, grouped.explicit);
  }
  if (startsKeywordRef(c)) return parsePlain(c, start, false);
  const negated = c.takeKeyword("not");
  if (negated && c.notBodies && c.isOp("{")) {
    return finishOperand(c, start, [parseNotBraces(c, start)], false);
  }
  if (c.isKeyword("some") || c.isKeyword("every")) {
    if (negated) c.fail(`illegal negation of '${c.peek().text}'`);
    return c.isKeyword("some") ? parseSome(c) : parseEvery(c);
  }
  return parsePlain(c, start, negated);
}

/** `not.x` and `some["x"]` are references although they begin with a keyword. */
export function startsKeywordRef(c: Cursor): boolean {
  const token = c.peek();
  if (token.kind !== "ident" || !c.keywords.has(token.text)) return false;
  return c.peek(1).gap === "none" && (c.isOp(".", 1) || c.isOp("[", 1));
}

/** After `not`: a body in braces. */
export function parseNotBraces(c: Cursor, start: Token): Expr {
  c.expectOp("{");
  const body = parseBody(c, "}");
  return makeExpr(c, start, { kind: "not", body, explicit: true });
}

/** An operand that may be followed by `and`, `or` and `with`. */
function finishOperand(c: Cursor, start: Token, body: Body, explicit: boolean): Expr {
  if (c.isKeyword("and") || c.isKeyword("or")) return attachWiths(c, start, parseLogicalTail(c, start, body, explicit));
  return attachWiths(c, start, body[0] as Expr);
}

function parsePlain(c: Cursor, start: Token, negated: boolean): Expr {
  if (negated && c.notBodies && c.isOp("(") && logicalActive(c)) {
    const group = parseGroup(c, true);
    if (group) {
      const not = makeExpr(c, start, { kind: "not", body: group.body, explicit: group.explicit });
      return finishOperand(c, start, [not], false);
    }
  }
  const what = parseOperation(c);
  let expr = makeExpr(c, start, what);
  const withToken = c.peek();
  const withs = c.isKeyword("with") ? parseWiths(c) : [];
  if (negated && c.notBodies) {
    // The `with` applies to the negation, and so to everything in it.
    expr = makeExpr(c, start, { kind: "not", body: [expr], explicit: false }, { withs });
  } else expr = { ...makeExpr(c, start, what), negated, withs };
  if (c.isKeyword("and") || c.isKeyword("or")) {
    if (withs.length > 0) {
      c.fail(
        `\`with\` modifier is not allowed on operand of \`${c.peek().text}\``,
        withToken,
        "wrap the operand in (…)",
      );
    }
    if (!negated && start.text === "{") {
      c.fail(`operand of \`${c.peek().text}\` cannot begin with \`{\` unless the braces hold a body`, start);
    }
    return attachWiths(c, start, parseLogicalTail(c, start, [expr], false));
  }
  return expr;
}

/** Reads `a`, `a := b` or `a = b`. */
export function parseOperation(c: Cursor): ExprKind {
  const left = parseInfix(c);
  const operator = c.isOp(":=") ? "assign" : c.isOp("=") ? "eq" : undefined;
  if (operator === undefined) {
    return left.kind === "call"
      ? { kind: "call", operator: left.operator, args: left.args }
      : { kind: "term", term: left };
  }
  c.next();
  return { kind: "call", operator: [operator], args: [left, parseInfix(c)] };
}

export function attachWiths(c: Cursor, start: Token, expr: Expr): Expr {
  if (!c.isKeyword("with")) return expr;
  const withs = [...expr.withs, ...parseWiths(c)];
  return { ...expr, withs, text: c.textFrom(start) };
}

function parseWiths(c: Cursor): With[] {
  const withs: With[] = [];
  while (c.isKeyword("with")) {
    const loc = c.location(c.next());
    if (c.peek().kind !== "ident") c.fail("expected identifier after with");
    const target = asRef(parseTerm(c));
    if (target === undefined) return c.fail("expected with target path", loc);
    if (!c.takeKeyword("as")) c.fail(`unexpected ${describe(c.peek())}: expected as keyword`);
    withs.push({ target, value: parseInfix(c), loc });
  }
  return withs;
}

function parseSome(c: Cursor): Expr {
  const start = c.next();
  const membership = c.attempt(() => {
    const term = parseInfix(c);
    return term.kind === "call" ? term : c.fail("not a call");
  });
  if (membership) {
    const { operator, args } = membership;
    const isMember = operator[0] === "internal" && operator[1]?.startsWith("member_");
    if (!isMember) c.fail("expected `x in xs` or `x, y in xs` expression", membership.loc);
    const [key, value, domain] = args.length === 3 ? args : [undefined, ...args];
    const expr = makeExpr(c, start, { kind: "someIn", key, value: value as Term, domain: domain as Term });
    return attachWiths(c, start, expr);
  }
  const vars: VarTerm[] = [];
  do {
    const token = c.peek();
    if (token.kind !== "ident" || c.keywords.has(token.text)) c.fail("expected var");
    vars.push(parseVar(c));
  } while (c.takeOp(","));
  return makeExpr(c, start, { kind: "some", vars });
}

function parseEvery(c: Cursor): Expr {
  const start = c.next();
  const term = parseInfix(c);
  const isMember = term.kind === "call" && term.operator[0] === "internal" && term.operator[1]?.startsWith("member_");
  if (!isMember || term.kind !== "call") return c.fail("expected `x[, y] in xs { ... }` expression", term.loc);
  const [key, value, domain] = term.args.length === 3 ? term.args : [undefined, ...term.args];
  if (key !== undefined && key.kind !== "var") return c.fail("expected key to be a variable", key.loc);
  if (value?.kind !== "var") return c.fail("expected value to be a variable", term.loc);
  if (!c.takeOp("{")) c.fail("missing body");
  const body = parseBody(c, "}");
  const expr = makeExpr(c, start, { kind: "every", key, value, domain: domain as Term, body });
  return attachWiths(c, start, expr);
}
