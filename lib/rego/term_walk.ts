// SPDX-License-Identifier: Apache-2.0
/** Walks over terms and expressions: which variables they hold, and what is inside them. */

import type { Body, Expr, RefTerm, Term } from "./ast.ts";

/** Names of documents, which are never variables. */
export function isRoot(name: string): boolean {
  return name === "input" || name === "data";
}

/** The document that a reference looks into. */
export function rootOf({ head }: RefTerm): "data" | "input" | undefined {
  return head.kind === "var" && (head.name === "data" || head.name === "input") ? head.name : undefined;
}

/** What a walk leaves out. */
export interface WalkOptions {
  /** Bodies and heads of comprehensions, bodies of `every`, `not`, `and` and `or`. */
  readonly skipClosures?: boolean;
  /** The variable a reference begins with. */
  readonly skipRefHeads?: boolean;
  readonly skipObjectKeys?: boolean;
  readonly skipSets?: boolean;
}

/** Adds the variables of `term` to `into`. */
export function termVars(term: Term, into: Set<string>, options: WalkOptions = {}): Set<string> {
  switch (term.kind) {
    case "scalar":
      break;
    case "var":
      if (!isRoot(term.name)) into.add(term.name);
      break;
    case "ref":
      if (term.head.kind !== "var" || !options.skipRefHeads) termVars(term.head, into, options);
      for (const part of term.path) termVars(part, into, options);
      break;
    case "call":
      for (const arg of term.args) termVars(arg, into, options);
      break;
    case "array":
      for (const item of term.items) termVars(item, into, options);
      break;
    case "set":
      if (!options.skipSets) { for (const item of term.items) termVars(item, into, options); }
      break;
    case "object":
      for (const [key, value] of term.pairs) {
        if (!options.skipObjectKeys) termVars(key, into, options);
        termVars(value, into, options);
      }
      break;
    case "comprehension":
      if (options.skipClosures) break;
      if (term.key) termVars(term.key, into, options);
      termVars(term.value, into, options);
      bodyVars(term.body, into, options);
      break;
    case "template":
      if (options.skipClosures) break;
      for (const part of term.parts) if (typeof part !== "string") exprVars(part, into, options);
      break;
  }
  return into;
}

/** Adds the variables of an expression, with its `with` values, to `into`. */
export function exprVars(expr: Expr, into: Set<string>, options: WalkOptions = {}): Set<string> {
  const { what } = expr;
  for (const { value } of expr.withs) termVars(value, into, options);
  switch (what.kind) {
    case "term":
      termVars(what.term, into, options);
      break;
    case "call":
      for (const arg of what.args) termVars(arg, into, options);
      break;
    case "every":
      termVars(what.domain, into, options);
      if (options.skipClosures) break;
      if (what.key) into.add(what.key.name);
      into.add(what.value.name);
      bodyVars(what.body, into, options);
      break;
    case "not":
      if (!options.skipClosures) bodyVars(what.body, into, options);
      break;
    case "and":
    case "or":
      if (options.skipClosures) break;
      bodyVars(what.left, into, options);
      bodyVars(what.right, into, options);
      break;
    case "some":
      for (const { name } of what.vars) into.add(name);
      break;
    case "someIn":
      for (const term of [what.key, what.value, what.domain]) if (term) termVars(term, into, options);
      break;
  }
  return into;
}

export function bodyVars(body: Body, into: Set<string>, options: WalkOptions = {}): Set<string> {
  for (const expr of body) exprVars(expr, into, options);
  return into;
}

/** The terms of an expression, not looking into them; bodies are given to `onBody`. */
export function eachTerm(expr: Expr, visit: (term: Term) => void, onBody?: (body: Body) => void): void {
  const { what } = expr;
  for (const { value } of expr.withs) visit(value);
  switch (what.kind) {
    case "term":
      visit(what.term);
      break;
    case "call":
      what.args.forEach(visit);
      break;
    case "every":
      visit(what.domain);
      onBody?.(what.body);
      break;
    case "not":
      onBody?.(what.body);
      break;
    case "and":
    case "or":
      onBody?.(what.left);
      onBody?.(what.right);
      break;
    case "some":
    case "someIn":
      break;
  }
}

/** Visits `term` and every term in it, without the insides of closures, which are given to `onClosure`. */
export function eachSubterm(
  term: Term,
  visit: (term: Term) => void,
  onClosure?: (term: Term & { kind: "comprehension" }) => void,
): void {
  visit(term);
  switch (term.kind) {
    case "ref":
      eachSubterm(term.head, visit, onClosure);
      for (const part of term.path) eachSubterm(part, visit, onClosure);
      break;
    case "call":
      for (const arg of term.args) eachSubterm(arg, visit, onClosure);
      break;
    case "array":
    case "set":
      for (const item of term.items) eachSubterm(item, visit, onClosure);
      break;
    case "object":
      for (const [key, value] of term.pairs) {
        eachSubterm(key, visit, onClosure);
        eachSubterm(value, visit, onClosure);
      }
      break;
    case "comprehension":
      onClosure?.(term);
      break;
    case "scalar":
    case "var":
    case "template":
      break;
  }
}

/** A copy of `term` in which `replace` was applied to every comprehension. */
export function mapComprehensions(term: Term, replace: (term: Term & { kind: "comprehension" }) => Term): Term {
  switch (term.kind) {
    case "comprehension":
      return replace(term);
    case "ref":
      return {
        ...term,
        head: mapComprehensions(term.head, replace),
        path: term.path.map((part) => mapComprehensions(part, replace)),
      };
    case "call":
      return { ...term, args: term.args.map((arg) => mapComprehensions(arg, replace)) };
    case "array":
    case "set":
      return { ...term, items: term.items.map((item) => mapComprehensions(item, replace)) };
    case "object":
      return {
        ...term,
        pairs: term.pairs.map(([key, value]) =>
          [mapComprehensions(key, replace), mapComprehensions(value, replace)] as const
        ),
      };
    default:
      return term;
  }
}

/** A copy of `expr` with its terms and bodies replaced. */
export function mapExpr(expr: Expr, onTerm: (term: Term) => Term, onBody: (body: Body) => Body): Expr {
  const { what } = expr;
  const withs = expr.withs.map((modifier) => ({ ...modifier, value: onTerm(modifier.value) }));
  switch (what.kind) {
    case "term":
      return { ...expr, withs, what: { ...what, term: onTerm(what.term) } };
    case "call":
      return { ...expr, withs, what: { ...what, args: what.args.map(onTerm) } };
    case "every":
      return { ...expr, withs, what: { ...what, domain: onTerm(what.domain), body: onBody(what.body) } };
    case "not":
      return { ...expr, withs, what: { ...what, body: onBody(what.body) } };
    case "and":
    case "or":
      return { ...expr, withs, what: { ...what, left: onBody(what.left), right: onBody(what.right) } };
    case "some":
    case "someIn":
      return expr;
  }
}
