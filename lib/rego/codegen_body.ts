// SPDX-License-Identifier: Apache-2.0
/** Turns bodies into closures: each expression calls the rest of the body for every way in which it holds. */

import type { Body, Expr, Term } from "./ast.ts";
import { type Bound, generateEval, generateReference, type Generator } from "./codegen.ts";
import { generateCall } from "./codegen_call.ts";
import { generateUnify } from "./codegen_unify.ts";
import { generateWith } from "./codegen_with.ts";
import type { Eval, Frame, Step } from "./runtime.ts";
import { exprVars } from "./term_walk.ts";
import { isArray, RegoObject, RegoSet, type Value } from "./values.ts";

/** Ends a body that is only asked whether it holds. */
const found: Step = () => true;

/** Compiles `body`; `done` runs for every solution. What the body binds is added to `bound`. */
export function generateBody(g: Generator, body: Body, bound: Bound, done: Step): Step {
  const before: Bound[] = [];
  for (const expr of body) {
    before.push(new Set(bound));
    if (!expr.negated) exprVars(expr, bound, { skipClosures: true });
  }
  let step = done;
  for (let i = body.length - 1; i >= 0; i--) {
    step = generateExpr(g, body[i] as Expr, before[i] as Bound, step);
  }
  return step;
}

function generateExpr(g: Generator, expr: Expr, bound: Bound, next: Step): Step {
  const { tracer } = g.program;
  const traced = tracer?.expression && !expr.generated
    ? traceSuccess(expr, next, tracer.expression.bind(tracer))
    : next;
  let step = expr.withs.length > 0
    ? generateWith(g, expr, bound, traced, (after) => generatePlain(g, expr, bound, after))
    : generatePlain(g, expr, bound, traced);
  if (tracer?.expression && !expr.generated) step = traceFailure(g, expr, step, tracer.expression.bind(tracer));
  return (frame) => {
    const { evaluation } = frame;
    if (--evaluation.fuel < 0) evaluation.refuel();
    return step(frame);
  };
}

type OnExpression = (location: Expr["loc"], ok: boolean) => void;

/** The slot says whether the expression held for the present entry. */
function traceSuccess(expr: Expr, next: Step, tell: OnExpression): Step {
  return (frame) => {
    tell(expr.loc, true);
    frame.held = true;
    return next(frame);
  };
}

function traceFailure(g: Generator, expr: Expr, step: Step, tell: OnExpression): Step {
  const slot = g.spare();
  return (frame) => {
    frame.slots[slot] = frame.held;
    frame.held = false;
    const stop = step(frame);
    if (!frame.held) tell(expr.loc, false);
    frame.held = true;
    return stop;
  };
}

function generatePlain(g: Generator, expr: Expr, bound: Bound, next: Step): Step {
  if (expr.negated) {
    const inner = generatePlain(g, { ...expr, negated: false }, new Set(bound), found);
    return (frame) => inner(frame) ? false : next(frame);
  }
  const { what } = expr;
  switch (what.kind) {
    case "term":
      return generateTerm(g, what.term, bound, next);
    case "call":
      if (what.operator.length === 1 && what.operator[0] === "eq" && what.args.length === 2) {
        return generateUnify(g, what.args as readonly [Term, Term], bound, next);
      }
      return generateCall(g, what.operator, what.args, expr.loc, bound, next);
    case "every":
      return generateEvery(g, what, bound, next);
    case "not": {
      const inner = closed(generateBody(g, what.body, new Set(bound), found));
      return (frame) => inner(frame) ? false : next(frame);
    }
    case "and": {
      const left = closed(generateBody(g, what.left, new Set(bound), found));
      const right = closed(generateBody(g, what.right, new Set(bound), found));
      return (frame) => left(frame) && right(frame) ? next(frame) : false;
    }
    case "or": {
      const left = closed(generateBody(g, what.left, new Set(bound), found));
      const right = closed(generateBody(g, what.right, new Set(bound), found));
      return (frame) => left(frame) || right(frame) ? next(frame) : false;
    }
    case "some":
    case "someIn":
      return next;
  }
}

/** A body inside a body counts as one level. */
function closed(step: Step): Step {
  return (frame) => {
    frame.evaluation.enter();
    const result = step(frame);
    frame.evaluation.depth--;
    return result;
  };
}

function generateTerm(g: Generator, term: Term, bound: Bound, next: Step): Step {
  if (term.kind === "ref") {
    const reference = generateReference(g, term, bound);
    if (!reference.single) return reference.each((frame, value) => value === false ? false : next(frame));
    return test(reference.eval, next);
  }
  if (term.kind === "scalar") return term.value === false ? () => false : next;
  return test(generateEval(g, term, bound), next);
}

function test(evaluate: Eval, next: Step): Step {
  return (frame) => {
    const value = evaluate(frame);
    return value === undefined || value === false ? false : next(frame);
  };
}

function generateEvery(g: Generator, what: Expr["what"] & { kind: "every" }, bound: Bound, next: Step): Step {
  const domain = generateEval(g, what.domain, bound);
  const inside = new Set(bound);
  const key = what.key && g.slot(what.key.name);
  const value = g.slot(what.value.name);
  if (what.key) inside.add(what.key.name);
  inside.add(what.value.name);
  const body = closed(generateBody(g, what.body, inside, found));
  const holds = (frame: Frame, k: Value, v: Value): boolean => {
    if (key !== undefined) frame.slots[key] = k;
    frame.slots[value] = v;
    return body(frame);
  };
  return (frame) => {
    const over = domain(frame);
    if (isArray(over)) { for (let i = 0; i < over.length; i++) if (!holds(frame, i, over[i] as Value)) return false; }
    else if (over instanceof RegoObject) {
      for (const k of over.keys()) if (!holds(frame, k, over.get(k) as Value)) return false;
    } else if (over instanceof RegoSet) {
      for (const item of over.values()) {
        if (!holds(frame, item, item)) return false;
      }
    } else return false;
    return next(frame);
  };
}
