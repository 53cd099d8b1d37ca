// SPDX-License-Identifier: Apache-2.0
/** What a builtin function of the Rego evaluator is, what it is handed, and how it fails. */

import type { Limits } from "../limits.ts";
import type { Key, Value } from "../values.ts";

/** The type of an argument or a result, as the type checker of a policy sees it; undefined where it is not known. */
export type Type = SimpleType | ArrayType | SetType | ObjectType | OrType;

export interface SimpleType {
  readonly kind: "any" | "null" | "boolean" | "number" | "string";
}

/** First `items`, then any number of `rest`, if there is one. */
export interface ArrayType {
  readonly kind: "array";
  readonly items: readonly (Type | undefined)[];
  readonly rest: Type | undefined;
}

export interface SetType {
  readonly kind: "set";
  /** Undefined for the empty set, too. */
  readonly of: Type | undefined;
}

/** `members` are those with a known key; `rest` is what others may be there. */
export interface ObjectType {
  readonly kind: "object";
  readonly members: ReadonlyMap<Key, MemberType>;
  readonly rest: { readonly key: Type | undefined; readonly value: Type | undefined } | undefined;
}

export interface MemberType {
  readonly key: Value;
  readonly value: Type | undefined;
}

/** One of several types, none of which is `any` or again one of several. */
export interface OrType {
  readonly kind: "or";
  readonly of: readonly Type[];
}

export const anyType: Type = { kind: "any" };
export const nullType: Type = { kind: "null" };
export const booleanType: Type = { kind: "boolean" };
export const numberType: Type = { kind: "number" };
export const stringType: Type = { kind: "string" };

/** An array of any length whose elements are `of`. */
export function arrayType(of: Type = anyType): Type {
  return { kind: "array", items: [], rest: of };
}

/** An array with exactly these elements. */
export function tupleType(...items: Type[]): Type {
  return { kind: "array", items, rest: undefined };
}

export function setType(of: Type = anyType): Type {
  return { kind: "set", of };
}

/** `members` have these names, others keys and values of these types. */
export function objectType(
  key: Type = anyType,
  value: Type = anyType,
  members: Readonly<Record<string, Type>> = {},
): Type {
  const known = Object.entries(members).map(([name, type]) => [name, { key: name, value: type }] as const);
  return { kind: "object", members: new Map(known), rest: { key, value } };
}

/** Any one of several types. */
export function orType(...of: Type[]): Type {
  return { kind: "or", of: of.flatMap((type) => type.kind === "or" ? type.of : [type]) };
}

/** What most arguments that are collections take: an array or a set of `of`. */
export function arrayOrSetType(of: Type = anyType): Type {
  return orType(arrayType(of), setType(of));
}

/** What one evaluation lends to the builtins it calls. */
export interface BuiltinContext {
  /** The moment of the query, in nanoseconds since 1970-01-01T00:00:00Z; the same for the whole query. */
  now(): bigint;
  /** Fresh random bytes. */
  random(bytes: number): Uint8Array;
  readonly limits: Limits;
  /** Counts `steps` of work against the step limit; throws the typed limit error when it is used up. */
  charge(steps: number): void;
  /** Receives one finished line of `print`. */
  print?(line: string): void;
  /** Receives the note of `trace`. */
  trace?(note: string): void;
  /** Lives as long as the query: compiled patterns, random numbers, parsed keys. */
  readonly cache: Map<string, unknown>;
}

/** One builtin function. `call` gets exactly `args.length` values and returns `undefined` for an undefined result. */
export interface Builtin {
  readonly name: string;
  readonly args: readonly Type[];
  readonly result: Type;
  /** True when equal arguments may give another result in another query. */
  readonly nondeterministic?: boolean;
  /** @throws {RegoBuiltinError} when OPA's builtin fails; the limit error of the policy when it would grow too much. */
  call(context: BuiltinContext, args: readonly Value[]): Value | undefined;
}

/** The codes a failing builtin reports, as OPA names them. */
export type BuiltinErrorCode = "eval_builtin_error" | "eval_type_error";

/** A builtin could not answer: the expression is undefined, or the query stops in strict mode. */
export class RegoBuiltinError extends Error {
  override readonly name = "RegoBuiltinError";
  readonly code: BuiltinErrorCode;

  constructor(code: BuiltinErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The failure of a builtin on values of the right type. */
export function builtinError(message: string): RegoBuiltinError {
  return new RegoBuiltinError("eval_builtin_error", message);
}

/** The failure of a builtin on a value of the wrong type or form; `position` counts from 1. */
export function operandError(position: number, message: string): RegoBuiltinError {
  return new RegoBuiltinError("eval_type_error", `operand ${position} ${message}`);
}

/** Makes the table of one family; the message of an entry that fails begins with the name of the builtin. */
export function family(...entries: Builtin[]): readonly Builtin[] {
  return entries.map((entry) => {
    const { name, call } = entry;
    return {
      ...entry,
      call(context, args) {
        try {
          return call(context, args);
        } catch (error) {
          if (error instanceof RegoBuiltinError) throw new RegoBuiltinError(error.code, `${name}: ${error.message}`);
          throw error;
        }
      },
    };
  });
}
