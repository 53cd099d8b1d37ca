// SPDX-License-Identifier: Apache-2.0
/** What is known about types at one place of a policy: those of variables and those of documents. */

import type { Term } from "../ast.ts";
import type { Type } from "../builtins/builtin.ts";
import type { Documents } from "./documents.ts";
import type { Lattice } from "./lattice.ts";

/** The variables of one body; a comprehension's body sees those around it and keeps its own. */
export interface Scope {
  /** Undefined when nothing is known yet. */
  get(name: string): Type | undefined;
  /** It was given a type, though perhaps an unknown one. */
  has(name: string): boolean;
  set(name: string, type: Type | undefined): void;
}

export interface Environment {
  readonly lattice: Lattice;
  readonly scope: Scope;
  readonly documents: Documents;
  /** The types of the comprehensions of the expression that is being checked. */
  readonly closures: Map<Term, Type | undefined>;
}

export function createScope(outer?: Scope): Scope {
  const types = new Map<string, Type | undefined>();
  return {
    get: (name) => types.has(name) ? types.get(name) : outer?.get(name),
    has: (name) => types.has(name) || (outer?.has(name) ?? false),
    set: (name, type) => void types.set(name, type),
  };
}
