// SPDX-License-Identifier: Apache-2.0
/** The way in: policy texts become a Policy that answers queries and decisions. */

import { compileModules } from "./compiler.ts";
import { type Limits, RegoError, RegoLimitError, type RegoLocation, resolveLimits } from "./limits.ts";
import { compileQuery, prepareReference, runQuery } from "./query.ts";
import { Evaluation, type EvaluationOptions, Frame, Scope } from "./runtime.ts";
import { RegoObject, type Value } from "./values.ts";

/** One file of policy text; `path` is what diagnostics show. */
export interface RegoModule {
  readonly path: string;
  readonly text: string;
}

export interface CompileOptions {
  readonly limits?: Partial<Limits>;
  /** Nanoseconds since 1970; the real clock by default. */
  readonly clock?: () => bigint;
  /** Source of random bytes; the system's by default. */
  readonly random?: (bytes: number) => Uint8Array;
  /** Builtin errors stop the query instead of making the expression undefined. */
  readonly strictBuiltinErrors?: boolean;
  /** Receives each line that a policy prints; without it print() costs nothing. */
  readonly print?: (line: string, location: RegoLocation) => void;
  /** Collects coverage and the trace for `--explain`; costs nothing when left out. */
  readonly tracer?: Tracer;
}

/** Hears what an evaluation does. */
export interface Tracer {
  /** A rule (or function) of `ref` is tried, or its `else`. */
  enter?(ref: string, location: RegoLocation): void;
  /** It gave a value, or did not. */
  leave?(ref: string, location: RegoLocation, defined: boolean): void;
  /** An expression of a body was evaluated; `ok` false: it was false or undefined. */
  expression?(location: RegoLocation, ok: boolean): void;
}

/** One line of a query's result: the value of each expression and the query's variables. */
export interface ResultRow {
  readonly expressions: readonly { readonly value: Value; readonly text: string; readonly location: RegoLocation }[];
  readonly bindings: ReadonlyMap<string, Value>;
}

/** A rule of the compiled policy, for test runners and coverage. */
export interface RuleInfo {
  /** e.g. `data.a.b.test_x`. */
  readonly ref: string;
  readonly location: RegoLocation;
  /** It takes arguments: its reference alone has no value. */
  readonly isFunction: boolean;
  /** Every expression of its bodies, for coverage. */
  readonly expressions: readonly RegoLocation[];
}

/** A prepared decision: the value of one reference. */
export interface Decision {
  /** The value for `input` (undefined: no input); undefined when the reference is undefined. */
  decide(input?: Value): Value | undefined;
}

/** A compiled policy with its data: immutable, usable by any number of callers. */
export interface Policy {
  /**
   * Answers a query such as `data.a.b = x; x > 1`; no rows means undefined.
   *
   * @throws {RegoError} when the query is wrong or the evaluation stops.
   */
  evaluate(query: string, input?: Value): readonly ResultRow[];
  /** Prepares `data.a.b.deny`. One that nothing defines is undefined for any input: see `rules` for those there are. */
  prepare(ref: string): Decision;
  /** Every rule, by file and line. */
  readonly rules: readonly RuleInfo[];
  /** Things that are probably mistakes but do not stop the policy. */
  readonly warnings: readonly { readonly message: string; readonly location: RegoLocation }[];
}

/**
 * Compiles `modules` over `data` (an object; {} by default).
 *
 * @throws {RegoError} with every diagnostic when a module is wrong or uses what is not offered.
 */
export function compile(modules: readonly RegoModule[], data?: Value, options: CompileOptions = {}): Policy {
  const limits = resolveLimits(options.limits);
  return guardStack(() => compileHere(modules, data ?? RegoObject.empty, options, limits));
}

/** Recursion is bounded by limits; should the stack be smaller than they allow, that is a limit too. */
function guardStack<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError) || !/call stack/.test(error.message)) throw error;
    throw new RegoLimitError("maxDepth", "nested too deeply for the stack of this process");
  }
}

function compileHere(modules: readonly RegoModule[], data: Value, options: CompileOptions, limits: Limits): Policy {
  if (!(data instanceof RegoObject)) {
    throw new RegoError({ code: "rego_compile_error", message: "the data document must be an object" });
  }
  const compiled = compileModules(modules, data, options, limits);
  const evaluation: EvaluationOptions = {
    limits,
    clock: options.clock ?? (() => BigInt(Date.now()) * 1_000_000n),
    random: options.random ?? ((bytes) => crypto.getRandomValues(new Uint8Array(bytes))),
    strict: options.strictBuiltinErrors ?? false,
    print: options.print,
  };
  const begin = (input: Value | undefined) => new Scope(new Evaluation(evaluation), input, data, undefined, undefined);
  return {
    rules: compiled.rules,
    warnings: compiled.warnings,
    evaluate: (query, input) => guardStack(() => runQuery(compileQuery(compiled, query), begin(input))),
    prepare(ref) {
      const run = guardStack(() => prepareReference(compiled, ref));
      return { decide: (input) => guardStack(() => run(new Frame(begin(input), 0))) };
    },
  };
}
