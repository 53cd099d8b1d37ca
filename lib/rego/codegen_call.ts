// SPDX-License-Identifier: Apache-2.0
/** Compiles calls of builtins and of the policy's functions, and what `with` put in their place. */

import type { Term } from "./ast.ts";
import { type Builtin, RegoBuiltinError } from "./builtins/builtin.ts";
import { type Bound, generateEval, generateMatch, type Generator, internal } from "./codegen.ts";
import { RegoError, type RegoLocation } from "./limits.ts";
import { walkTree } from "./lookup.ts";
import { operatorName } from "./rule_names.ts";
import type { RuleNode } from "./rule_tree.ts";
import type { Eval, Frame, Match, Scope, Step } from "./runtime.ts";
import { keyOf, type Value } from "./values.ts";

/** Computes a call; undefined when it is undefined. */
type Call = (scope: Scope, args: readonly Value[]) => Value | undefined;

export function generateCall(
  g: Generator,
  operator: readonly string[],
  args: readonly Term[],
  location: RegoLocation,
  bound: Bound,
  next: Step,
): Step {
  const name = operatorName(operator);
  const { call, arity } = findFunction(g, operator, location);
  const evals = args.slice(0, arity).map((arg) => generateEval(g, arg, bound));
  const output = args[arity];
  const match = output && generateMatch(g, output, bound);
  if (name === "walk") return generateWalk(evals[0] as Eval, match, next);
  const finish = match
    ? (frame: Frame, value: Value) => match(frame, value) ? next(frame) : false
    : (frame: Frame, value: Value) => value === false ? false : next(frame);
  return (frame) => {
    const { scope } = frame;
    const values = new Array<Value>(evals.length);
    for (let i = 0; i < evals.length; i++) {
      const value = (evals[i] as Eval)(frame);
      if (value === undefined) return false;
      values[i] = value;
    }
    let result: Value | undefined;
    const mock = scope.mocks?.get(name);
    if (mock === undefined) result = call(scope, values);
    else result = "value" in mock ? mock.value : mock.call(scope, values);
    return result === undefined ? false : finish(frame, result);
  };
}

/** walk() has many results. */
function generateWalk(root: Eval, match: Match | undefined, next: Step): Step {
  return (frame) => {
    const value = root(frame);
    if (value === undefined) return false;
    return walkTree(frame, value, (path, member) => {
      if (match && !match(frame, [path, member])) return false;
      return next(frame);
    });
  };
}

/** The function by its operator, before any `with`. */
export function findFunction(
  g: Generator,
  operator: readonly string[],
  location: RegoLocation,
): { call: Call; arity: number } {
  const { program } = g;
  if (operator[0] === "data") {
    let node: RuleNode | undefined = program.tree.root;
    for (const key of operator.slice(1)) node = node?.children.get(keyOf(key));
    const rule = node?.rules[0]?.rule ?? node?.fallback;
    if (node === undefined || rule?.head.args === undefined) {
      throw internal(`undefined function ${operatorName(operator)}`, { kind: "scalar", value: null, loc: location });
    }
    const { index } = node;
    return { call: (scope, args) => program.nodes[index]!.call(scope, args), arity: rule.head.args.length };
  }
  const name = operatorName(operator);
  if (name === "walk") return { call: () => undefined, arity: 1 };
  const builtin = program.builtins.get(name);
  if (builtin === undefined) {
    throw internal(`undefined function ${name}`, { kind: "scalar", value: null, loc: location });
  }
  return { call: callBuiltin(builtin, location), arity: builtin.args.length };
}

function callBuiltin(builtin: Builtin, location: RegoLocation): Call {
  return (scope, args) => {
    const { evaluation } = scope;
    evaluation.location = location;
    try {
      return builtin.call(evaluation, args);
    } catch (error) {
      if (!(error instanceof RegoBuiltinError)) throw error;
      if (evaluation.strict) throw new RegoError({ code: error.code, message: error.message, location });
      return undefined;
    }
  };
}
