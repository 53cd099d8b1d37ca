// SPDX-License-Identifier: Apache-2.0
/** What one evaluation carries: its documents, its budget, and the values of rules it has computed. */

import type { BuiltinContext } from "./builtins/builtin.ts";
import { type Limits, RegoError, RegoLimitError, type RegoLocation } from "./limits.ts";
import type { RegoObject, Value } from "./values.ts";

/** Steps before the first look at the clock, and at most between two. */
const FIRST_STEPS = 256;
const MAX_STEPS_PER_CHECK = 2048;

/** Steps that took longer than this, in milliseconds, are heavy: fewer of them go by until the next look. */
const HEAVY_MILLIS = 20;

/** What the whole evaluation shares. */
export interface EvaluationOptions {
  readonly limits: Limits;
  readonly clock: () => bigint;
  readonly random: (bytes: number) => Uint8Array;
  readonly strict: boolean;
  readonly print: ((line: string, location: RegoLocation) => void) | undefined;
}

/** Counts steps, time and depth; lends builtins what they need. */
export class Evaluation implements BuiltinContext {
  readonly limits: Limits;
  readonly strict: boolean;
  readonly print: (line: string) => void;
  /** Where the builtin that runs was called. */
  location: RegoLocation = { file: "", line: 0, column: 0 };
  /** Steps until the next look at the limits: decremented everywhere, refuel() when below zero. */
  fuel = FIRST_STEPS;
  depth = 0;
  #cache: Map<string, unknown> | undefined;
  #left: number;
  #deadline: number | undefined;
  #looked = 0;
  #slice = FIRST_STEPS;
  #now: bigint | undefined;
  readonly #options: EvaluationOptions;

  constructor(options: EvaluationOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.strict = options.strict;
    this.print = (line) => options.print?.(line, this.location);
    this.#left = options.limits.maxSteps - FIRST_STEPS;
    if (this.#left < 0) {
      this.fuel += this.#left;
      this.#left = 0;
    }
  }

  get cache(): Map<string, unknown> {
    return this.#cache ??= new Map();
  }

  now(): bigint {
    return this.#now ??= this.#options.clock();
  }

  random(bytes: number): Uint8Array {
    return this.#options.random(bytes);
  }

  charge(steps: number): void {
    this.fuel -= steps;
    if (this.fuel < 0) this.refuel();
  }

  /** @throws {RegoLimitError} when steps or time have run out. */
  refuel(): void {
    // The first look starts the clock: an evaluation of few steps never asks for the time.
    const now = performance.now();
    this.#deadline ??= now + this.limits.maxMillis;
    if (now > this.#deadline) {
      throw new RegoLimitError("maxMillis", `evaluation takes longer than ${this.limits.maxMillis} ms`);
    }
    const isHeavy = this.#looked > 0 && now - this.#looked > HEAVY_MILLIS;
    this.#slice = isHeavy ? Math.max(1, this.#slice >> 3) : Math.min(MAX_STEPS_PER_CHECK, this.#slice * 2);
    this.#looked = now;
    const needed = Math.max(this.#slice, -this.fuel);
    if (this.#left < -this.fuel || this.#left === 0) {
      throw new RegoLimitError("maxSteps", `evaluation takes more than ${this.limits.maxSteps} steps`);
    }
    const granted = Math.min(needed, this.#left);
    this.#left -= granted;
    this.fuel += granted;
  }

  /** @throws {RegoLimitError} when a collection that a rule or a comprehension makes has become too large. */
  checkElements(count: number, location?: RegoLocation): void {
    if (count <= this.limits.maxElements) return;
    const message = `a rule or comprehension makes a collection of more than ${this.limits.maxElements} elements`;
    throw new RegoLimitError("maxElements", message, location);
  }

  /** Goes one rule, function or closure deeper; the caller decrements `depth` when it returns. */
  enter(): void {
    if (++this.depth > this.limits.maxDepth) {
      throw new RegoLimitError("maxDepth", `evaluation is nested deeper than ${this.limits.maxDepth}`);
    }
  }
}

/** What a `with` puts in place of a function. */
export type Mock =
  | { readonly value: Value }
  | { call(scope: Scope, args: readonly Value[]): Value | undefined };

/** Marks in a cache that a rule is undefined. */
export const UNDEFINED: unique symbol = Symbol("undefined");

/** The documents as one part of an evaluation sees them; `with` makes another one, with caches of its own. */
export class Scope {
  readonly evaluation: Evaluation;
  readonly input: Value | undefined;
  /** Base documents, with what `with` put into them. */
  readonly data: RegoObject;
  /** Paths (`data.a.b`) that `with` replaced: rules at and below them are not looked at. */
  readonly shadowed: ReadonlySet<string> | undefined;
  /** Functions that `with` replaced, by dotted name. */
  readonly mocks: ReadonlyMap<string, Mock> | undefined;
  /** Values of rules by the index of their node. */
  readonly values: (Value | typeof UNDEFINED | undefined)[] = [];
  /** Parts of partial rules that were asked for by key. */
  readonly parts = new Map<string, Value>();

  constructor(
    evaluation: Evaluation,
    input: Value | undefined,
    data: RegoObject,
    shadowed: ReadonlySet<string> | undefined,
    mocks: ReadonlyMap<string, Mock> | undefined,
  ) {
    this.evaluation = evaluation;
    this.input = input;
    this.data = data;
    this.shadowed = shadowed;
    this.mocks = mocks;
  }
}

/** The variables of one evaluation of one rule body; closures in it share them. */
export class Frame {
  readonly slots: unknown[];
  readonly evaluation: Evaluation;
  scope: Scope;
  /** What the head has given so far. */
  out: unknown = undefined;
  /** For tracing: the expression entered last has held. */
  held = false;

  constructor(scope: Scope, size: number) {
    this.scope = scope;
    this.evaluation = scope.evaluation;
    this.slots = new Array(size);
  }
}

/** Evaluates the rest of a body; true means that nobody wants further solutions. */
export type Step = (frame: Frame) => boolean;
/** The value of a term whose variables are known. */
export type Eval = (frame: Frame) => Value | undefined;
/** Takes one value of a term, goes on with the rest of the body. */
export type Cont = (frame: Frame, value: Value) => boolean;
/** Compares a value with a pattern and binds the pattern's variables. */
export type Match = (frame: Frame, value: Value) => boolean;

export function conflict(message: string, location?: RegoLocation): RegoError {
  return new RegoError({ code: "eval_conflict_error", message, location });
}
