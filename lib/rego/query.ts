// SPDX-License-Identifier: Apache-2.0
/** Compiles and runs queries and prepared references. */

import type { Body, Expr, Term } from "./ast.ts";
import { createCallChecker } from "./check_calls.ts";
import { createGenerator, generateEval, generateReference, type Generator } from "./codegen.ts";
import { generateBody } from "./codegen_body.ts";
import type { Compiled } from "./compiler.ts";
import { createFlattener } from "./dynamics.ts";
import { createExpander } from "./expand.ts";
import { RegoError } from "./limits.ts";
import { parseQuery, parseReference } from "./parser.ts";
import type { ResultRow } from "./policy.ts";
import { createResolver } from "./resolve.ts";
import { createSafety } from "./safety.ts";
import { createUndeclaredChecker } from "./undeclared.ts";
import { type Eval, Frame, type Scope, type Step } from "./runtime.ts";
import { bodyVars, exprVars } from "./term_walk.ts";
import type { Value } from "./values.ts";

/** What diagnostics call the text of a query. */
const QUERY_FILE = "query";

export interface CompiledQuery {
  readonly step: Step;
  readonly size: number;
  /** Where the rows are collected. */
  readonly slot: number;
}

/** @throws {RegoError} when the query is wrong. */
export function compileQuery(compiled: Compiled, text: string): CompiledQuery {
  const { program } = compiled;
  const context = compiled.context();
  const body = createResolver(context, new Map()).query(parseQuery(QUERY_FILE, text, compiled.limits));
  createUndeclaredChecker(context).body(body);
  context.check();
  const captured = captureValues(body, context.arity);
  const expanded = createExpander(context, { defined: compiled.defined, tree: program.tree }).body(captured.body);
  createCallChecker(context, program.tree).body(expanded);
  context.check();
  const safe = createSafety(context).query(expanded);
  context.check();
  const flat = createFlattener(context).body(safe);
  compiled.types.query(context, flat);
  context.check();
  const g = createGenerator(program);
  const slot = g.spare();
  const emit = rowMaker(g, captured, slot);
  const step = generateBody(g, flat, new Set(), emit);
  return { step, size: g.size(), slot };
}

interface Captured {
  readonly body: Body;
  /** For each expression of the query, the variable that holds its value; undefined: it is true. */
  readonly expressions: readonly { readonly expr: Expr; readonly value: Term | undefined }[];
  readonly variables: readonly string[];
}

/** Gives every expression that has a value a variable for it. */
function captureValues(body: Body, arity: (operator: readonly string[]) => number): Captured {
  const variables = [...bodyVars(body, new Set(), { skipClosures: true })].filter((name) => !/[$#]/.test(name));
  const expressions: { expr: Expr; value: Term | undefined }[] = [];
  const rewritten: Expr[] = [];
  const isSingle = body.length === 1 && bodyVars(body, new Set(), { skipClosures: true }).size === 0;
  body.forEach((expr, i) => {
    const { what, negated, loc } = expr;
    const isCall = what.kind === "call" && what.operator[0] !== "eq" && what.args.length === arity(what.operator);
    const isValue = !negated && (what.kind === "term" || isCall);
    if (!isValue) {
      expressions.push({ expr, value: undefined });
      rewritten.push(expr);
      return;
    }
    const local: Term = { kind: "var", name: `$q${i}`, loc };
    const term: Term = what.kind === "term"
      ? what.term
      : { kind: "call", operator: (what as { operator: readonly string[] }).operator, args: argsOf(what), loc };
    const capture: Expr = { ...expr, what: { kind: "call", operator: ["eq"], args: [local, term] } };
    const test: Expr = { ...expr, withs: [], what: { kind: "term", term: local }, generated: true };
    // A query of one expression shows its value, also when that is false; of several solutions, each has to hold.
    rewritten.push(capture, ...(isSingle ? [] : [test]));
    expressions.push({ expr, value: local });
  });
  return { body: rewritten, expressions, variables };
}

function argsOf(what: Expr["what"]): readonly Term[] {
  return what.kind === "call" ? what.args : [];
}

function rowMaker(g: Generator, { expressions, variables }: Captured, slot: number): Step {
  const bound = new Set(variables);
  for (const { expr, value } of expressions) {
    exprVars(expr, bound);
    if (value?.kind === "var") bound.add(value.name);
  }
  const yes: Eval = () => true;
  const values = expressions.map(({ expr, value }) => ({
    evaluate: value ? generateEval(g, value, bound) : yes,
    text: expr.text,
    location: expr.loc,
  }));
  const slots = variables.map((name) => ({ name, slot: g.slot(name) }));
  return (frame) => {
    const bindings = new Map<string, Value>();
    for (const variable of slots) {
      const value = frame.slots[variable.slot] as Value | undefined;
      if (value !== undefined) bindings.set(variable.name, value);
    }
    (frame.slots[slot] as ResultRow[]).push({
      expressions: values.map(({ evaluate, text, location }) => ({ value: evaluate(frame) as Value, text, location })),
      bindings,
    });
    return false;
  };
}

export function runQuery(query: CompiledQuery, scope: Scope): readonly ResultRow[] {
  const frame = new Frame(scope, query.size);
  const rows: ResultRow[] = [];
  frame.slots[query.slot] = rows;
  query.step(frame);
  return rows;
}

/**
 * Compiles `data.a.b`.
 *
 * @throws {RegoError} when it is not a constant reference into `data`.
 */
export function prepareReference({ program, limits }: Compiled, text: string): Eval {
  const term = parseReference(QUERY_FILE, text, limits);
  const isData = term.kind === "ref" && term.head.kind === "var" && term.head.name === "data";
  if (!isData || term.path.some((part) => part.kind !== "scalar")) {
    throw new RegoError({ code: "rego_compile_error", message: `${text} is not a constant reference into data` });
  }
  const g = createGenerator(program);
  return generateReference(g, term, new Set()).eval;
}
