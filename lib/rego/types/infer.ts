// SPDX-License-Identifier: Apache-2.0
/** Types of terms, and what making two of them equal says about their variables. */

import type { ArrayTerm, ObjectTerm, SetTerm, Term } from "../ast.ts";
import {
  anyType,
  type ArrayType,
  type MemberType,
  type ObjectType,
  stringType,
  type Type,
} from "../builtins/builtin.ts";
import { constantOf } from "../codegen.ts";
import { sameKey } from "../unify_safety.ts";
import { type Key, keyOf } from "../values.ts";
import { rootOf } from "../term_walk.ts";
import { lookUp, selectPath } from "./documents.ts";
import type { Environment } from "./environment.ts";
import { typeOfValue } from "./lattice.ts";

type Composite = ArrayTerm | ObjectTerm | SetTerm;

/** The type of a term without calls in it; undefined, also inside of it, where it is not known. */
export function typeOf(env: Environment, term: Term): Type | undefined {
  const { lattice } = env;
  switch (term.kind) {
    case "scalar":
      return typeOfValue(term.value);
    case "var":
      return env.scope.get(term.name);
    case "ref": {
      const root = rootOf(term);
      if (root) return lookUp(lattice, env.documents, root, term.path).type;
      return selectPath(lattice, typeOf(env, term.head), term.path);
    }
    case "array":
      return lattice.bounded({ kind: "array", items: term.items.map((item) => typeOf(env, item)), rest: undefined });
    case "set":
      return lattice.bounded({ kind: "set", of: lattice.either(term.items.map((item) => typeOf(env, item))) });
    case "object":
      return lattice.bounded(typeOfObject(env, term));
    case "comprehension":
      return env.closures.get(term);
    case "template":
      return stringType;
    case "call":
      return undefined;
  }
}

/** Of several keys that are not constant OPA takes the last one, in an order of its own: any of them may be meant. */
function typeOfObject(env: Environment, { pairs }: ObjectTerm): ObjectType {
  const members = new Map<Key, MemberType>();
  const computed: (readonly [key: Type | undefined, value: Type | undefined])[] = [];
  for (const [key, value] of pairs) {
    const constant = constantOf(key);
    if (constant !== undefined) members.set(keyOf(constant), { key: constant, value: typeOf(env, value) });
    else computed.push([typeOf(env, key), typeOf(env, value)]);
  }
  const anyOf = (types: readonly (Type | undefined)[]) =>
    types.includes(undefined) ? undefined : env.lattice.either(types);
  const rest = computed.length === 0
    ? undefined
    : { key: anyOf(computed.map(([key]) => key)), value: anyOf(computed.map(([, value]) => value)) };
  return { kind: "object", members, rest };
}

/**
 * Expects `term` to be of `type`, and gives its variables the types that follow; false when it cannot be.
 *
 * @param widen a variable that has a type already gets this one beside it.
 */
export function expectType(env: Environment, term: Term, type: Type | undefined, widen = false): boolean {
  switch (term.kind) {
    case "var": {
      const known = env.scope.get(term.name);
      if (widen) env.scope.set(term.name, env.lattice.either([known, type]));
      else if (known) return env.lattice.mayEqual(known, type);
      else env.scope.set(term.name, type);
      return true;
    }
    case "array":
    case "object":
    case "set":
      return expectInside(env, term, type, widen);
    default:
      return env.lattice.mayEqual(typeOf(env, term), type);
  }
}

function expectInside(env: Environment, term: Composite, type: Type | undefined, widen: boolean): boolean {
  switch (type?.kind) {
    case "any":
      for (const part of partsOf(term)) expectType(env, part, anyType, true);
      return true;
    case "or": {
      // Every one of them says something about the variables.
      const fits = type.of.map((each) => expectType(env, term, each, true));
      return fits.includes(true);
    }
    case "array":
      return term.kind === "array" && expectItems(env, term, type, widen);
    case "set":
      return term.kind === "set" && term.items.every((item) => expectType(env, item, type.of, widen));
    case "object":
      return term.kind === "object" && expectMembers(env, term, type, widen);
    default:
      return false;
  }
}

function partsOf(term: Composite): readonly Term[] {
  return term.kind === "object" ? term.pairs.flat() : term.items;
}

function expectItems(env: Environment, { items }: ArrayTerm, type: ArrayType, widen: boolean): boolean {
  if (items.length !== type.items.length && type.rest === undefined) return false;
  return items.every((item, i) => expectType(env, item, i < type.items.length ? type.items[i] : type.rest, widen));
}

function expectMembers(env: Environment, { pairs }: ObjectTerm, type: ObjectType, widen: boolean): boolean {
  if (pairs.length !== type.members.size && type.rest?.value === undefined) return false;
  return pairs.every(([key, value]) => {
    const constant = constantOf(key);
    if (constant === undefined) {
      // Any member may be meant.
      expectType(env, value, anyType, widen);
      return true;
    }
    const member = env.lattice.select(type, constant);
    return member !== undefined && expectType(env, value, member, widen);
  });
}

/** Makes two terms equal; false when they cannot be. */
export function equate(env: Environment, a: Term, b: Term): boolean {
  const typeA = typeOf(env, a), typeB = typeOf(env, b);
  const knowsA = !env.lattice.hasUnknown(typeA), knowsB = !env.lattice.hasUnknown(typeB);
  if (knowsA && knowsB) return env.lattice.mayEqual(typeA, typeB);
  if (knowsB) return expectType(env, a, typeB);
  if (knowsA) return expectType(env, b, typeA);
  if (a.kind === "array" || a.kind === "object") return equateParts(env, a, b);
  if (a.kind === "var" && (b.kind === "array" || b.kind === "object")) return equateParts(env, b, a);
  if (a.kind === "var" && b.kind === "var") return expectType(env, a, anyType) && expectType(env, b, typeOf(env, a));
  // What is known about one side is all that is known about the other.
  if (a.kind === "var" && typeA === undefined && typeB) return expectType(env, a, typeB);
  if (b.kind === "var" && typeB === undefined && typeA) return expectType(env, b, typeA);
  return false;
}

function equateParts(env: Environment, a: ArrayTerm | ObjectTerm, b: Term): boolean {
  if (b.kind === "var") return expectType(env, a, anyType) && expectType(env, b, typeOf(env, a));
  if (a.kind === "array") {
    if (b.kind !== "array" || a.items.length !== b.items.length) return false;
    return a.items.every((item, i) => equate(env, item, b.items[i] as Term));
  }
  if (b.kind !== "object" || a.pairs.length !== b.pairs.length) return false;
  return a.pairs.every(([key, value]) => {
    const other = b.pairs.find(([otherKey]) => sameKey(key, otherKey));
    return other !== undefined && equate(env, value, other[1]);
  });
}
