// SPDX-License-Identifier: Apache-2.0
/** Reads `and`, `or` and their groups: the keywords of `import rego.v2`. */

import type { Body, Expr } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import type { Token } from "./lexer.ts";
import { attachWiths, makeExpr, parseBody, parseNotBraces, parseOperation, startsKeywordRef } from "./parse_bodies.ts";
import { parseTerm } from "./parse_terms.ts";

/** One side of `and` or `or`; `explicit` when it was written in braces. */
export interface Operand {
  readonly body: Body;
  readonly explicit: boolean;
}

/** True when the module has imported `and` or `or`. */
export function logicalActive(c: Cursor): boolean {
  return c.keywords.has("and") || c.keywords.has("or");
}

function atOperator(c: Cursor): boolean {
  return c.isKeyword("and") || c.isKeyword("or");
}

/** At the beginning of an expression: `{ body } and …`; undefined, having gone back, when it is no operand. */
export function parseStatementBraces(c: Cursor): Expr | undefined {
  const start = c.peek();
  const position = c.position;
  const body = c.attempt(() => {
    c.next();
    return parseBody(c, "}");
  });
  if (body === undefined) return undefined;
  if (!atOperator(c)) {
    c.position = position;
    return undefined;
  }
  checkUnion(c, body, start);
  return attachWiths(c, start, parseLogicalTail(c, start, body, true));
}

/** Reads `and …`, `or …` after a first operand; `and` binds tighter, both from the left. */
export function parseLogicalTail(c: Cursor, start: Token, body: Body, explicit: boolean): Expr {
  return c.nested(() => {
    let left: Operand = { body, explicit };
    if (c.isKeyword("and")) left = { body: [parseAnds(c, start, left)], explicit: false };
    while (c.takeKeyword("or")) {
      const rightStart = c.peek();
      let right = parseOperand(c, "or");
      if (c.isKeyword("and")) right = { body: [parseAnds(c, rightStart, right)], explicit: false };
      left = { body: [join(c, start, "or", left, right)], explicit: false };
    }
    return left.body[0] as Expr;
  });
}

function parseAnds(c: Cursor, start: Token, first: Operand): Expr {
  let left = first;
  while (c.takeKeyword("and")) {
    left = { body: [join(c, start, "and", left, parseOperand(c, "and"))], explicit: false };
  }
  return left.body[0] as Expr;
}

function join(c: Cursor, start: Token, kind: "and" | "or", left: Operand, right: Operand): Expr {
  for (const { body } of [left, right]) {
    const isVoid = body.every(({ negated, what }) => !negated && what.kind === "call" && what.operator[0] === "print");
    if (isVoid) c.fail(`operand of \`${kind}\` cannot consist only of calls to \`print\``, body[0]?.loc);
  }
  return makeExpr(c, start, {
    kind,
    left: left.body,
    right: right.body,
    explicitLeft: left.explicit,
    explicitRight: right.explicit,
  });
}

/** Reads one operand; `operator` is the one it belongs to, "" inside parentheses whose meaning is not yet known. */
function parseOperand(c: Cursor, operator: string): Operand {
  const start = c.peek();
  if (c.isOp("{")) {
    c.next();
    const body = parseBody(c, "}");
    checkUnion(c, body, start);
    return { body, explicit: true };
  }
  const negated = !startsKeywordRef(c) && c.takeKeyword("not");
  if (negated && c.notBodies && c.isOp("{")) return { body: [parseNotBraces(c, start)], explicit: false };
  if (c.isOp("(") && (!negated || c.notBodies)) {
    const group = parseGroup(c, true);
    if (group && negated) {
      return { body: [makeExpr(c, start, { kind: "not", ...group })], explicit: false };
    }
    if (group) return group;
  }
  if (operator !== "" && c.peek().text === "{") c.fail(`operand of \`${operator}\` cannot begin with \`{\``);
  const expr = makeExpr(c, start, parseOperation(c));
  if (!negated) return { body: [expr], explicit: false };
  if (!c.notBodies) return { body: [{ ...expr, negated: true }], explicit: false };
  return { body: [makeExpr(c, start, { kind: "not", body: [expr], explicit: false })], explicit: false };
}

/**
 * Reads parentheses around operands; undefined, having gone back, when they hold a plain term. `inOperand`: they are
 * an operand already, so that braces in them are a body.
 */
export function parseGroup(c: Cursor, inOperand: boolean): Operand | undefined {
  return c.nested(() => {
    const position = c.position;
    const open = c.next();
    if (c.isOp(")")) {
      if (inOperand) c.fail("empty parenthesized group", open);
      c.position = position;
      return undefined;
    }
    const start = c.peek();
    const first = c.attempt(() => parseOperand(c, ""));
    if (first === undefined) {
      c.position = position;
      return undefined;
    }
    if (atOperator(c)) {
      const expr = attachWiths(c, start, parseLogicalTail(c, start, first.body, first.explicit));
      closeGroup(c);
      return { body: [expr], explicit: false };
    }
    const only = first.body[0] as Expr;
    if (c.isKeyword("with") && !first.explicit) {
      const expr = attachWiths(c, start, only);
      if (atOperator(c)) c.fail("`with` modifier is not allowed on operand", c.peek(), "wrap the operand in (…)");
      closeGroup(c);
      if (inOperand || atOperator(c)) return { body: [expr], explicit: false };
    } else if (first.explicit) {
      c.position = position + 1;
      if (c.attempt(() => parseTerm(c)) === undefined) {
        c.fail("`(...)` in an operand position cannot contain a body", open);
      }
    } else if (only.negated || only.what.kind === "and" || only.what.kind === "or" || only.what.kind === "not") {
      closeGroup(c);
      return { body: first.body, explicit: false };
    }
    c.position = position;
    return undefined;
  });
}

function closeGroup(c: Cursor): void {
  if (!c.isOp(")")) c.fail("expected ) to close parenthesized group");
  c.next();
}

/** `{a | b}` in place of a body could be a comprehension or a union: neither is guessed. */
function checkUnion(c: Cursor, body: Body, start: Token): void {
  const first = body[0];
  const isUnion = first?.what.kind === "call" && first.what.operator[0] === "or" && !first.text.startsWith("(") &&
    !first.text.startsWith("or(");
  if (isUnion) c.fail("ambiguous `{ ... | ... }` operand", start, "put the union or the comprehension into (…)");
}
