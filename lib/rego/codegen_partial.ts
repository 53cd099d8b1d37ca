// SPDX-License-Identifier: Apache-2.0
/** Compiles partial rules: sets and objects, whole or only what one key needs. */

import type { Rule, Term } from "./ast.ts";
import { type Bound, createGenerator, generateEval, generateMatch, type Generator } from "./codegen.ts";
import { generateBody } from "./codegen_body.ts";
import type { RegoLocation } from "./limits.ts";
import { createPartialTree, type PartialTree } from "./partial_object.ts";
import type { NodeProgram, Program } from "./program.ts";
import { guardRule } from "./rule_guard.ts";
import { chooseRules } from "./rule_index.ts";
import type { PlacedRule, RuleNode } from "./rule_tree.ts";
import { traceRule } from "./rule_trace.ts";
import { type Eval, Frame, type Match, type Scope, type Step, UNDEFINED } from "./runtime.ts";
import { termVars } from "./term_walk.ts";
import { equalValues, keyOf, RegoSet, SetBuilder, type Value } from "./values.ts";

/** Puts everything that a rule gives into `sink`; with `keys`, only what has these keys. */
type RunPartial<Sink> = (scope: Scope, sink: Sink, keys: readonly Value[]) => void;

/** Makes what puts one solution into the sink. */
type Emit<Sink> = (g: Generator, bound: Bound) => (frame: Frame, sink: Sink) => void;

const ALL: readonly Value[] = [];

export interface PartialProgram extends Pick<NodeProgram, "fill"> {
  compute(scope: Scope): Value;
  /** The value in as far as its member at `keys` needs it. */
  part(scope: Scope, keys: readonly Value[]): Value;
}

export function setProgram(program: Program, node: RuleNode): PartialProgram {
  const rules = node.rules.map(({ rule }) => {
    const member = rule.head.member as Term;
    return generatePartial<SetBuilder>(program, node, rule, [member], (g, bound) => {
      const value = generateEval(g, member, bound);
      return (frame, sink) => {
        sink.add(value(frame) as Value);
        frame.evaluation.checkElements(sink.size, rule.head.loc);
      };
    });
  });
  const choose = chooseRules(node.rules.map(({ rule }) => rule), program.tracer !== undefined);
  const run = (scope: Scope, keys: readonly Value[]): Value => {
    const sink = new SetBuilder();
    for (const i of choose(scope, ALL)) (rules[i] as RunPartial<SetBuilder>)(scope, sink, keys.slice(0, 1));
    return sink.build();
  };
  return { compute: (scope) => run(scope, ALL), part: run };
}

export function objectProgram(program: Program, node: RuleNode): PartialProgram {
  const rules = node.rules.map((placed) => generateObjectRule(program, node, placed));
  const choose = chooseRules(node.rules.map(({ rule }) => rule), program.tracer !== undefined);
  const fill = (scope: Scope, tree: PartialTree, keys: readonly Value[] = ALL): void => {
    for (const i of choose(scope, ALL)) (rules[i] as RunPartial<PartialTree>)(scope, tree, keys);
    addChildren(program, scope, node, tree, keys[0]);
  };
  const run = (scope: Scope, keys: readonly Value[]): Value => {
    const tree = createPartialTree();
    fill(scope, tree, keys);
    return tree.build();
  };
  return { compute: (scope) => run(scope, ALL), part: run, fill: (scope, tree) => fill(scope, tree) };
}

function generateObjectRule(program: Program, node: RuleNode, { rule, tail }: PlacedRule): RunPartial<PartialTree> {
  const { member, value, loc } = rule.head;
  return generatePartial<PartialTree>(program, node, rule, tail, (g, bound) => {
    const path: Eval[] = tail.map((part) => generateEval(g, part, bound));
    const result = generateEval(g, member ?? value, bound);
    return (frame, sink) => {
      const keys = path.map((part) => part(frame) as Value);
      const given = result(frame) as Value;
      if (member) sink.add(keys, given, loc);
      else sink.put(keys, given, loc);
      frame.evaluation.checkElements(sink.size, loc);
    };
  });
}

/** Compiles a partial rule whose head has these keys, once for each number of them that is asked for. */
function generatePartial<Sink>(
  program: Program,
  node: RuleNode,
  rule: Rule,
  patterns: readonly Term[],
  emit: Emit<Sink>,
): RunPartial<Sink> {
  const usable = patterns.findIndex((pattern) => !isPattern(pattern));
  const most = usable < 0 ? patterns.length : usable;
  const guard = guardRule(program, rule);
  const made: (RunPartial<Sink> | undefined)[] = [];
  return (scope, sink, keys) => {
    if (guard !== undefined && !guard(scope)) return;
    const known = Math.min(keys.length, most);
    const run = made[known] ??= generateKeyed(program, node, rule, patterns.slice(0, known), emit);
    run(scope, sink, keys);
  };
}

/** Compiles a rule whose head is matched with keys before its body is evaluated. */
function generateKeyed<Sink>(
  program: Program,
  node: RuleNode,
  rule: Rule,
  patterns: readonly Term[],
  emit: Emit<Sink>,
): RunPartial<Sink> {
  const g = createGenerator(program);
  const slot = g.spare();
  const bound: Bound = new Set();
  const matches = patterns.map((pattern) => generateMatch(g, pattern, bound));
  const after: Bound = new Set();
  for (const term of [...rule.head.path, rule.head.member, rule.head.value]) if (term) termVars(term, after);
  const put = emit(g, after);
  const done: Step = (frame) => {
    put(frame, frame.slots[slot] as Sink);
    frame.out = true;
    return false;
  };
  const body = traceRule(program, node, rule, generateBody(g, rule.body, bound, done));
  return (scope, sink, keys) => {
    const frame = new Frame(scope, g.size());
    frame.slots[slot] = sink;
    for (let i = 0; i < matches.length; i++) if (!(matches[i] as Match)(frame, keys[i] as Value)) return;
    scope.evaluation.enter();
    body(frame);
    scope.evaluation.depth--;
  };
}

/** True for terms that can be matched with a value before their variables are known. */
function isPattern(term: Term): boolean {
  if (term.kind === "array") return term.items.every(isPattern);
  if (term.kind === "object") return term.pairs.every(([key, value]) => key.kind === "scalar" && isPattern(value));
  return term.kind === "var" || term.kind === "scalar";
}

/** The part for `keys`, from the whole value when that is known; kept in the scope. */
export function partOf(scope: Scope, node: RuleNode, keys: readonly Value[], compute: PartialProgram["part"]): Value {
  const whole = scope.values[node.index];
  if (whole !== undefined && whole !== UNDEFINED) return whole as Value;
  const name = `${node.index}${String(keyOf(keys))}`;
  const known = scope.parts.get(name);
  if (known !== undefined) return known;
  const value = compute(scope, keys);
  scope.parts.set(name, value);
  return value;
}

/** Adds what rules with constant paths below `node` give, those of one key only if it is given. */
function addChildren(program: Program, scope: Scope, node: RuleNode, tree: PartialTree, only?: Value): void {
  for (const child of node.children.values()) {
    const key = child.path.at(-1) as Value;
    if (only !== undefined && !equalValues(only, key)) continue;
    if (child.kind === undefined) {
      addChildren(program, scope, child, tree.at(key));
      continue;
    }
    const { fill, value: evaluate } = program.nodes[child.index] as NodeProgram;
    if (fill) {
      fill(scope, tree.at(key));
      continue;
    }
    const value = evaluate(scope);
    if (child.kind === "set" && value instanceof RegoSet) {
      tree.addAll(key, value);
      continue;
    }
    const location: RegoLocation | undefined = child.rules[0]?.rule.head.loc;
    if (value !== undefined) tree.put([key], value, location);
  }
}
