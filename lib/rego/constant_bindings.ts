// SPDX-License-Identifier: Apache-2.0
/** Finds variables that a body binds to one of a few constants, and the references that they can make. */

import type { Body, Term } from "./ast.ts";
import { constantOf } from "./codegen.ts";
import { isArray, RegoObject, RegoSet, type Value } from "./values.ts";
import { member } from "./lookup.ts";

/** References that one reference may stand for; one that would stand for more is left as it is (as OPA). */
const MAX_EXPANSION = 64;

/** What variables can be. */
export type KnownValues = ReadonlyMap<string, readonly Value[]>;

/**
 * What is known before each expression of `body`, the last entry being what is known at its end.
 *
 * A body is a conjunction in the order in which it runs: any expression that binds a variable to one of some constants
 * holds whenever those after it are evaluated.
 */
export function knownBefore(body: Body): readonly KnownValues[] {
  let known: KnownValues = new Map();
  const before = [known];
  for (const { what, negated, withs } of body) {
    if (what.kind === "call" && what.operator.join(".") === "eq" && !negated && withs.length === 0) {
      const [a, b] = what.args as [Term, Term];
      const found = binding(a, b, known) ?? binding(b, a, known);
      if (found && !known.has(found.name)) known = new Map(known).set(found.name, found.values);
    }
    before.push(known);
  }
  return before;
}

function binding(
  to: Term,
  from: Term,
  known: KnownValues,
): { readonly name: string; readonly values: readonly Value[] } | undefined {
  if (to.kind !== "var") return undefined;
  const values = valuesOf(from, known);
  return values && { name: to.name, values };
}

/** The constants that a term can be; undefined when it may be others. */
function valuesOf(term: Term, known: KnownValues): readonly Value[] | undefined {
  if (term.kind === "var") return known.get(term.name);
  if (term.kind !== "ref") {
    const constant = constantOf(term);
    return constant === undefined ? undefined : [constant];
  }
  let values = valuesOf(term.head, known);
  for (const part of term.path) {
    if (values === undefined) return undefined;
    const key = constantOf(part);
    const next: Value[] = [];
    for (const value of values) {
      const members = key === undefined ? membersOf(value) : [member(value, key)];
      if (members === undefined) return undefined;
      for (const each of members) if (each !== undefined) next.push(each);
    }
    if (next.length > MAX_EXPANSION) return undefined;
    values = next;
  }
  return values;
}

function membersOf(value: Value): readonly (Value | undefined)[] | undefined {
  if (isArray(value)) return value;
  if (value instanceof RegoSet) return value.values();
  return value instanceof RegoObject ? value.keys().map((key) => value.get(key)) : undefined;
}

/** The paths that `path` can be: keys where the constants are known, undefined for any key. */
export function possiblePaths(path: readonly Term[], known: KnownValues): readonly (readonly (Value | undefined)[])[] {
  let paths: (Value | undefined)[][] = [[]];
  for (const part of path) {
    const values = valuesOf(part, known) ?? [];
    // No value at all means a body that never holds: its reference is as good as any.
    const keys = values.length === 0 || paths.length * values.length > MAX_EXPANSION ? [undefined] : values;
    paths = paths.flatMap((before) => keys.map((key) => [...before, key]));
  }
  return paths;
}
