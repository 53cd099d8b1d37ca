// SPDX-License-Identifier: Apache-2.0
/** Compiles the rules of one path: values with defaults and `else`, functions, sets and objects. */

import type { Rule } from "./ast.ts";
import { type Bound, constantOf, createGenerator, generateEval, generateMatch } from "./codegen.ts";
import { generateBody } from "./codegen_body.ts";
import { objectProgram, type PartialProgram, partOf, setProgram } from "./codegen_partial.ts";
import type { NodeProgram, Program } from "./program.ts";
import { guardRule } from "./rule_guard.ts";
import { chooseRules } from "./rule_index.ts";
import { traceRule } from "./rule_trace.ts";
import type { RuleNode } from "./rule_tree.ts";
import { conflict, Frame, type Match, type Scope, type Step, UNDEFINED } from "./runtime.ts";
import { termVars } from "./term_walk.ts";
import { equalValues, type Value } from "./values.ts";

/** A rule with one value: the value for these arguments, or undefined. */
type RunValue = (scope: Scope, args: readonly Value[]) => Value | undefined;

/** What two different values of one rule are called. */
const CONFLICTS = {
  value: "complete rules must not produce multiple outputs",
  function: "functions must not produce multiple outputs for same inputs",
};

/** Compiles the rules at one path; `node.kind` says of which kind they are. */
export function generateNode(program: Program, node: RuleNode): NodeProgram {
  switch (node.kind) {
    case "value":
      return valueProgram(program, node);
    case "function": {
      const run = combine(program, node, CONFLICTS.function);
      return { value: () => undefined, call: run };
    }
    case "set":
      return partialProgram(node, setProgram(program, node));
    case "object":
      return partialProgram(node, objectProgram(program, node));
    default:
      return { value: () => undefined, call: () => undefined };
  }
}

function partialProgram(node: RuleNode, { compute, part, fill }: PartialProgram): NodeProgram {
  const byKey = (scope: Scope, keys: readonly Value[]) => partOf(scope, node, keys, part);
  return { ...cached(node, compute), part: byKey, ...(fill && { fill }) };
}

function cached(node: RuleNode, compute: (scope: Scope) => Value | undefined): NodeProgram {
  const { index } = node;
  return {
    value(scope) {
      const known = scope.values[index];
      if (known !== undefined) return known === UNDEFINED ? undefined : known as Value;
      const value = compute(scope);
      scope.values[index] = value === undefined ? UNDEFINED : value;
      return value;
    },
    call: () => undefined,
  };
}

function valueProgram(program: Program, node: RuleNode): NodeProgram {
  const run = combine(program, node, CONFLICTS.value);
  return cached(node, (scope) => run(scope, NO_ARGS));
}

const NO_ARGS: readonly Value[] = [];

/** Tries every rule: all that give a value must give the same. */
function combine(program: Program, node: RuleNode, message: string): RunValue {
  const rules = node.rules.map(({ rule }) => generateChain(program, rule, node, message));
  const fallback = node.fallback && generateChain(program, node.fallback, node, message);
  const location = node.rules[0]?.rule.head.loc;
  // When all of them can only give one and the same constant, the first that holds decides.
  const first = node.rules[0] && constantOf(node.rules[0].rule.head.value);
  const same = first !== undefined && node.rules.every(({ rule }) => {
    const value = constantOf(rule.head.value);
    return rule.otherwise === undefined && value !== undefined && equalValues(first, value);
  });
  const choose = chooseRules(node.rules.map(({ rule }) => rule), program.tracer !== undefined);
  return (scope, args) => {
    let result: Value | undefined;
    const candidates = choose(scope, args);
    for (let i = 0; i < candidates.length; i++) {
      const value = (rules[candidates[i] as number] as RunValue)(scope, args);
      if (value === undefined) continue;
      if (same) return value;
      if (result === undefined) result = value;
      else if (!equalValues(result, value)) throw conflict(message, location);
    }
    return result === undefined && fallback !== undefined ? fallback(scope, args) : result;
  };
}

/** A rule and its `else` rules: the first that holds. */
function generateChain(program: Program, rule: Rule, node: RuleNode, message: string): RunValue {
  const run = generateValueRule(program, rule, node, message);
  if (rule.otherwise === undefined) return run;
  const otherwise = generateChain(program, rule.otherwise, node, message);
  return (scope, args) => {
    const value = run(scope, args);
    return value === undefined ? otherwise(scope, args) : value;
  };
}

function generateValueRule(program: Program, rule: Rule, node: RuleNode, message: string): RunValue {
  const g = createGenerator(program);
  const bound: Bound = new Set();
  const args = (rule.head.args ?? []).map((arg) => generateMatch(g, arg, bound));
  const headBound = boundAfter(rule, bound);
  const { value: head, loc } = rule.head;
  const constant = constantOf(head);
  const value = generateEval(g, head, headBound);
  const done: Step = constant !== undefined
    ? (frame) => {
      frame.out = constant;
      return true;
    }
    : (frame) => {
      const result = value(frame);
      if (frame.out === undefined) frame.out = result;
      else if (!equalValues(frame.out as Value, result as Value)) throw conflict(message, loc);
      return false;
    };
  const body = traceRule(program, node, rule, generateBody(g, rule.body, bound, done));
  const size = g.size();
  const guard = guardRule(program, rule);
  return (scope, values) => {
    if (guard !== undefined && !guard(scope)) return undefined;
    const { evaluation } = scope;
    const frame = new Frame(scope, size);
    for (let i = 0; i < args.length; i++) if (!(args[i] as Match)(frame, values[i] as Value)) return undefined;
    evaluation.enter();
    body(frame);
    evaluation.depth--;
    return frame.out as Value | undefined;
  };
}

/** The variables that have values when the head is evaluated. */
function boundAfter(rule: Rule, bound: Bound): Bound {
  const after = new Set(bound);
  for (const term of [...rule.head.path, rule.head.member, rule.head.value]) if (term) termVars(term, after);
  return after;
}
