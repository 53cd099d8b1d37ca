// SPDX-License-Identifier: Apache-2.0
/**
 * Skips rules that cannot hold because a part of the documents is undefined or another than they demand.
 *
 * OPA finds the rules to evaluate through an index, so such a rule never gets as far as an error on the way. A guard
 * has only to look at what stands after an expression that can fail with an error: anything else is as quick to try.
 */

import type { Expr, Rule, Term } from "./ast.ts";
import { constantOf } from "./codegen.ts";
import { baseMember, type Look, member } from "./lookup.ts";
import type { Program } from "./program.ts";
import type { RuleNode } from "./rule_tree.ts";
import type { Scope } from "./runtime.ts";
import { eachSubterm, eachTerm } from "./term_walk.ts";
import { equalValues, isArray, type Key, keyOf, RegoObject, RegoSet, type Value } from "./values.ts";

/** False when the rule cannot hold. */
export type Guard = (scope: Scope) => boolean;

interface Demand {
  readonly input: boolean;
  readonly path: readonly Value[];
  /** Undefined: any value will do. */
  readonly key: Key | undefined;
  /** An array with so many elements. */
  readonly length?: number | undefined;
  /** A collection with this element. */
  readonly member?: Value | undefined;
}

/** The guard of one rule without its `else`; undefined when there is nothing to guard. */
export function guardRule(program: Program, rule: Rule): Guard | undefined {
  const first = rule.body.findIndex(canFail);
  if (first < 0) return undefined;
  const demands = rule.body.slice(first).flatMap((expr) => demandOf(program, expr));
  if (demands.length === 0) return undefined;
  return (scope) => demands.every((demand) => isMet(scope, demand));
}

function isMet(scope: Scope, { input, path, key, length, member: wanted }: Demand): boolean {
  let value: Value | undefined = input ? scope.input : scope.data;
  const look: Look = input ? member : baseMember;
  for (const part of path) value = look(value, part);
  if (length !== undefined && !(isArray(value) && value.length === length)) return false;
  if (wanted !== undefined && !holds(value, wanted)) return false;
  return value !== undefined && (key === undefined || keyOf(value) === key);
}

function holds(value: Value | undefined, wanted: Value): boolean {
  if (isArray(value)) return value.some((item) => equalValues(item, wanted));
  if (value instanceof RegoSet) return value.has(wanted);
  return value instanceof RegoObject && value.keys().some((key) => equalValues(value.get(key) as Value, wanted));
}

/** True for what may end in an error: calls, rules, comprehensions of objects, and bodies that may hold them. */
function canFail(expr: Expr): boolean {
  const { what } = expr;
  if (expr.withs.length > 0) return true;
  if (what.kind !== "term" && what.kind !== "call") return true;
  if (what.kind === "call" && what.operator[0] !== "eq") return true;
  let fails = false;
  eachTerm(expr, (term) =>
    eachSubterm(term, (part) => {
      fails ||= part.kind === "ref" && part.head.kind === "var" && part.head.name === "data";
    }, () => {
      fails = true;
    }));
  return fails;
}

function demandOf(program: Program, expr: Expr): Demand[] {
  const { what } = expr;
  if (expr.negated || expr.withs.length > 0) return [];
  if (what.kind === "term") return refDemand(program, what.term, undefined);
  if (what.kind !== "call" || what.args.length !== 2 || what.operator[0] !== "eq") return [];
  const [a, b] = what.args as [Term, Term];
  return [
    ...eqDemand(program, a, b),
    ...eqDemand(program, b, a),
    ...memberDemand(program, a, b),
    ...memberDemand(program, b, a),
  ];
}

/** Of `input.groups[_] == "admin"`. */
function memberDemand(program: Program, ref: Term, other: Term): Demand[] {
  if (ref.kind !== "ref" || other.kind !== "scalar" || ref.path.at(-1)?.kind !== "var") return [];
  const collection = { ...ref, path: ref.path.slice(0, -1) };
  return refDemand(program, collection, undefined).map((demand) => ({ ...demand, member: other.value }));
}

function eqDemand(program: Program, ref: Term, other: Term): Demand[] {
  if (other.kind !== "var" && other.kind !== "scalar" && other.kind !== "array") return [];
  const length = other.kind === "array" ? other.items.length : undefined;
  return refDemand(program, ref, constantOf(other)).map((demand) => ({ ...demand, length }));
}

/** Of a constant reference into the input or into base documents. */
function refDemand(program: Program, ref: Term, constant: Value | undefined): Demand[] {
  if (ref.kind !== "ref" || ref.head.kind !== "var") return [];
  const { name } = ref.head;
  if (name !== "input" && name !== "data") return [];
  const path = ref.path.map(constantOf);
  if (path.includes(undefined) || (name === "data" && !isBase(program, path as Value[]))) return [];
  const key = constant === undefined ? undefined : keyOf(constant);
  return [{ input: name === "input", path: path as Value[], key }];
}

/** True when no rule is at, above or below the path. */
function isBase(program: Program, path: readonly Value[]): boolean {
  let node: RuleNode | undefined = program.tree.root;
  for (const part of path) {
    if (node === undefined) return true;
    if (node.kind !== undefined) return false;
    node = node.children.get(keyOf(part));
  }
  return node === undefined;
}
