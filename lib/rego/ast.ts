// SPDX-License-Identifier: Apache-2.0
/** The syntax tree of a module: what the parser makes and the compiler rewrites, never in place. */

import type { RegoLocation } from "./limits.ts";
import type { Value } from "./values.ts";

export type Term =
  | ScalarTerm
  | VarTerm
  | RefTerm
  | CallTerm
  | ArrayTerm
  | ObjectTerm
  | SetTerm
  | ComprehensionTerm
  | TemplateTerm;

export interface ScalarTerm {
  readonly kind: "scalar";
  readonly value: Value;
  readonly loc: RegoLocation;
}

/** Names made by the parser (`_`) and the compiler hold characters that no identifier has. */
export interface VarTerm {
  readonly kind: "var";
  readonly name: string;
  readonly loc: RegoLocation;
}

/** `head[path[0]][path[1]]…`; the path may be empty for `input` and `data` only. */
export interface RefTerm {
  readonly kind: "ref";
  readonly head: Term;
  readonly path: readonly Term[];
  readonly loc: RegoLocation;
}

/** `operator` is `["json", "marshal"]` for builtins and `["data", …]` for functions of the policy once resolved. */
export interface CallTerm {
  readonly kind: "call";
  readonly operator: readonly string[];
  readonly args: readonly Term[];
  readonly loc: RegoLocation;
}

export interface ArrayTerm {
  readonly kind: "array";
  readonly items: readonly Term[];
  readonly loc: RegoLocation;
}

export interface ObjectTerm {
  readonly kind: "object";
  readonly pairs: readonly (readonly [key: Term, value: Term])[];
  readonly loc: RegoLocation;
}

export interface SetTerm {
  readonly kind: "set";
  readonly items: readonly Term[];
  readonly loc: RegoLocation;
}

/** `key` is there for objects only. */
export interface ComprehensionTerm {
  readonly kind: "comprehension";
  readonly of: "array" | "set" | "object";
  readonly key: Term | undefined;
  readonly value: Term;
  readonly body: Body;
  readonly loc: RegoLocation;
}

/** An interpolated string: text and expressions in turn. */
export interface TemplateTerm {
  readonly kind: "template";
  readonly parts: readonly (string | Expr)[];
  readonly loc: RegoLocation;
}

export type Body = readonly Expr[];

export interface With {
  readonly target: Term;
  readonly value: Term;
  /** The operator of the function that replaces another; `value` means nothing then. */
  readonly replacement?: readonly string[];
  readonly loc: RegoLocation;
}

/** One expression of a body. */
export interface Expr {
  readonly what: ExprKind;
  /** `not` as it was before `future.keywords.not`. */
  readonly negated: boolean;
  readonly withs: readonly With[];
  readonly loc: RegoLocation;
  readonly text: string;
  /** Made by the compiler: not counted by coverage. */
  readonly generated?: boolean;
}

export type ExprKind =
  | { readonly kind: "term"; readonly term: Term }
  /** Operators too: `eq` for `=`, `assign` for `:=`; one argument more than the arity captures the result. */
  | {
    readonly kind: "call";
    readonly operator: readonly string[];
    readonly args: readonly Term[];
    /** An `eq` that was `:=`: its left side only receives. */
    readonly assignment?: boolean;
  }
  | { readonly kind: "some"; readonly vars: readonly VarTerm[] }
  | { readonly kind: "someIn"; readonly key: Term | undefined; readonly value: Term; readonly domain: Term }
  | {
    readonly kind: "every";
    readonly key: VarTerm | undefined;
    readonly value: VarTerm;
    readonly domain: Term;
    readonly body: Body;
  }
  | { readonly kind: "not"; readonly body: Body; readonly explicit: boolean }
  | LogicalExpr;

export interface LogicalExpr {
  readonly kind: "and" | "or";
  readonly left: Body;
  readonly right: Body;
  readonly explicitLeft: boolean;
  readonly explicitRight: boolean;
}

/** What a rule defines: `path` is the name and what follows it, e.g. `a.b[x]`. */
export interface RuleHead {
  readonly name: VarTerm;
  readonly path: readonly Term[];
  /** Of a function; an empty list is a function too. */
  readonly args: readonly Term[] | undefined;
  /** Of `contains`: the member. */
  readonly member: Term | undefined;
  readonly value: Term;
  /** `:=` was written. */
  readonly assigned: boolean;
  readonly loc: RegoLocation;
}

export interface Rule {
  readonly head: RuleHead;
  readonly isDefault: boolean;
  readonly body: Body;
  /** The rest of the chain. */
  readonly otherwise: Rule | undefined;
  readonly loc: RegoLocation;
}

export interface Import {
  /** Beginning with `data`, `input`, `future` or `rego`. */
  readonly path: readonly string[];
  readonly alias: string | undefined;
  readonly loc: RegoLocation;
}

export interface Module {
  readonly file: string;
  /** Without the leading `data`. */
  readonly package: readonly string[];
  readonly packageLoc: RegoLocation;
  readonly imports: readonly Import[];
  readonly rules: readonly Rule[];
}
