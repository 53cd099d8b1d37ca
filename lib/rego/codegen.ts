// SPDX-License-Identifier: Apache-2.0
/** Turns terms into closures: values of known terms, matchers for patterns, enumerations of references. */

import type { Term } from "./ast.ts";
import { generateBody } from "./codegen_body.ts";
import { dataReference } from "./codegen_data.ts";
import { RegoError } from "./limits.ts";
import { type Element, type Look, member, walkPath } from "./lookup.ts";
import type { Program } from "./program.ts";
import { conflict, type Cont, type Eval, type Frame, type Match, type Step } from "./runtime.ts";
import { termVars } from "./term_walk.ts";
import {
  equalValues,
  isArray,
  type Key,
  keyOf,
  ObjectBuilder,
  objectOf,
  RegoObject,
  RegoSet,
  SetBuilder,
  setOf,
  type Value,
} from "./values.ts";

/** The making of one rule's code: its program and the places of its variables. */
export interface Generator {
  readonly program: Program;
  /** The place of a variable in the frame. */
  slot(name: string): number;
  /** A place that no variable has. */
  spare(): number;
  /** Places taken so far: the size of the frame. */
  size(): number;
}

/** Variables that have a value at this point of the body. Functions that bind add to it. */
export type Bound = Set<string>;

export function createGenerator(program: Program): Generator {
  const slots = new Map<string, number>();
  let next = 0;
  return {
    program,
    slot(name) {
      const known = slots.get(name);
      if (known !== undefined) return known;
      slots.set(name, next);
      return next++;
    },
    spare: () => next++,
    size: () => next,
  };
}

/** True when the term's value can be computed: closures find what they need by the safety check. */
export function isKnown(term: Term, bound: Bound): boolean {
  return termVars(term, new Set(), { skipClosures: true }).isSubsetOf(bound);
}

/** The value of a term made of constants only. */
export function constantOf(term: Term): Value | undefined {
  switch (term.kind) {
    case "scalar":
      return term.value;
    case "array":
    case "set": {
      const items = term.items.map(constantOf);
      if (items.includes(undefined)) return undefined;
      return term.kind === "array" ? items as Value[] : setOf(items as Value[]);
    }
    case "object": {
      const pairs = term.pairs.map(([key, value]) => [constantOf(key), constantOf(value)] as const);
      if (pairs.some(([key, value]) => key === undefined || value === undefined)) return undefined;
      return objectOf(pairs as [Value, Value][]);
    }
    default:
      return undefined;
  }
}

/** Compiles a term whose variables are all known. */
export function generateEval(g: Generator, term: Term, bound: Bound): Eval {
  const constant = constantOf(term);
  if (constant !== undefined) return () => constant;
  switch (term.kind) {
    case "var": {
      const slot = g.slot(term.name);
      return (frame) => frame.slots[slot] as Value;
    }
    case "array": {
      const items = term.items.map((item) => generateEval(g, item, bound));
      return (frame) => evaluateAll(frame, items);
    }
    case "set": {
      const items = term.items.map((item) => generateEval(g, item, bound));
      return (frame) => {
        const values = evaluateAll(frame, items);
        return values && setOf(values);
      };
    }
    case "object": {
      const keys = term.pairs.map(([key]) => generateEval(g, key, bound));
      const values = term.pairs.map(([, value]) => generateEval(g, value, bound));
      return (frame) => evaluateObject(frame, keys, values, term);
    }
    case "ref":
      return generateReference(g, term, bound).eval;
    case "comprehension":
      return generateComprehension(g, term, bound);
    default:
      throw internal(`a ${term.kind} was not taken apart`, term);
  }
}

function evaluateAll(frame: Frame, items: readonly Eval[]): Value[] | undefined {
  const values = new Array<Value>(items.length);
  for (let i = 0; i < items.length; i++) {
    const value = (items[i] as Eval)(frame);
    if (value === undefined) return undefined;
    values[i] = value;
  }
  return values;
}

function evaluateObject(
  frame: Frame,
  keys: readonly Eval[],
  values: readonly Eval[],
  term: Term,
): Value | undefined {
  const pairs: [Value, Value][] = [];
  for (let i = 0; i < keys.length; i++) {
    const key = (keys[i] as Eval)(frame);
    const value = (values[i] as Eval)(frame);
    if (key === undefined || value === undefined) return undefined;
    pairs.push([key, value]);
  }
  const object = objectOf(pairs);
  if (object.size < pairs.length) {
    // OPA takes now the one, now the other: nobody can rely on either.
    const isClear = pairs.every(([key, value]) => equalValues(object.get(key) as Value, value));
    if (!isClear) throw equalKeys(term);
  }
  return object;
}

function equalKeys(term: Term): RegoError {
  return conflict("keys of an object become equal, with different values", term.loc);
}

export function internal(message: string, term: Term): RegoError {
  return new RegoError({ code: "eval_internal_error", message, location: term.loc });
}

/** Compiles a pattern; its unknown variables are added to `bound`. */
export function generateMatch(g: Generator, term: Term, bound: Bound): Match {
  if (term.kind === "var") {
    const slot = g.slot(term.name);
    if (bound.has(term.name)) return (frame, value) => equalValues(frame.slots[slot] as Value, value);
    bound.add(term.name);
    return (frame, value) => {
      frame.slots[slot] = value;
      return true;
    };
  }
  const constant = constantOf(term);
  if (constant !== undefined) {
    if (typeof constant === "string") return (_, value) => value === constant;
    return (_, value) => equalValues(constant, value);
  }
  if (term.kind === "array") {
    const items = term.items.map((item) => generateMatch(g, item, bound));
    return (frame, value) => {
      if (!isArray(value) || value.length !== items.length) return false;
      for (let i = 0; i < items.length; i++) if (!(items[i] as Match)(frame, value[i] as Value)) return false;
      return true;
    };
  }
  if (term.kind === "object") {
    const keys = term.pairs.map(([key]) => generateEval(g, key, bound));
    const values = term.pairs.map(([, value]) => generateMatch(g, value, bound));
    const isPlain = term.pairs.every(([key]) => constantOf(key) !== undefined);
    return (frame, value) => {
      if (!(value instanceof RegoObject) || value.size !== keys.length) return false;
      const seen = isPlain ? undefined : new Set<Key>();
      for (let i = 0; i < keys.length; i++) {
        const key = (keys[i] as Eval)(frame);
        if (seen !== undefined && key !== undefined) {
          // Two keys that become one leave a member of the value that nothing is compared with.
          if (seen.has(keyOf(key))) return false;
          seen.add(keyOf(key));
        }
        const found = key === undefined ? undefined : value.get(key);
        if (found === undefined || !(values[i] as Match)(frame, found)) return false;
      }
      return true;
    };
  }
  const evaluate = generateEval(g, term, bound);
  return (frame, value) => {
    if (!mayEqual(term, value)) return false;
    const other = evaluate(frame);
    return other !== undefined && equalValues(other, value);
  };
}

/** As OPA: a comprehension, which may fail, is not evaluated to be compared with a value of another type. */
export function mayEqual(term: Term, value: Value): boolean {
  if (term.kind !== "comprehension" || value instanceof RegoSet) return true;
  return term.of === "array" ? isArray(value) : term.of === "object" && value instanceof RegoObject;
}

/** A reference: its value when every variable is known, its values otherwise. */
export interface Reference {
  /** True when `eval` is enough. */
  readonly single: boolean;
  readonly eval: Eval;
  /** It looks into base documents only. */
  readonly isDocument?: true;
  each(then: Cont): Step;
}

/** Compiles a reference; unknown variables of its path are added to `bound`. */
export function generateReference(g: Generator, term: Term & { kind: "ref" }, bound: Bound): Reference {
  const { head } = term;
  if (head.kind === "var" && head.name === "data") return dataReference(g, term.path, bound);
  const base = generateHead(g, head);
  const path = generatePath(g, term.path, bound);
  return { ...pathReference(base, path), each: (then) => (frame) => walkPath(frame, base(frame), path, 0, then) };
}

function generateHead(g: Generator, head: Term): Eval {
  if (head.kind !== "var") throw internal("a reference begins with a term", head);
  if (head.name === "input") return (frame) => frame.scope.input;
  const slot = g.slot(head.name);
  return (frame) => frame.slots[slot] as Value;
}

/** Compiles the steps of a path from the left: a variable bound by one is known to the next. */
export function generatePath(g: Generator, parts: readonly Term[], bound: Bound): Element[] {
  return parts.map((part) =>
    isKnown(part, bound) ? { key: generateEval(g, part, bound) } : { match: generateMatch(g, part, bound) }
  );
}

/** The single value of a path without unknown variables. */
export function pathReference(
  base: Eval,
  path: readonly Element[],
  look: Look = member,
): { single: boolean; eval: Eval } {
  const keys: Eval[] = [];
  for (const { key } of path) if (key) keys.push(key);
  const single = keys.length === path.length;
  if (keys.length === 1) {
    const only = keys[0] as Eval;
    return { single, eval: (frame) => look(base(frame), only(frame) as Value) };
  }
  return {
    single,
    eval(frame) {
      let value = base(frame);
      for (let i = 0; i < keys.length && value !== undefined; i++) {
        const key = (keys[i] as Eval)(frame);
        value = key === undefined ? undefined : look(value, key);
      }
      return value;
    },
  };
}

function generateComprehension(g: Generator, term: Term & { kind: "comprehension" }, outer: Bound): Eval {
  const bound = new Set(outer);
  const slot = g.spare();
  const collect = (begin: () => unknown, add: (frame: Frame) => void, end: (sink: never) => Value): Eval => {
    const done: Step = (frame) => {
      add(frame);
      return false;
    };
    const run = generateBody(g, term.body, new Set(outer), done);
    return (frame) => {
      const { evaluation } = frame;
      evaluation.enter();
      const saved = frame.slots[slot];
      const sink = begin();
      frame.slots[slot] = sink;
      run(frame);
      frame.slots[slot] = saved;
      evaluation.depth--;
      return end(sink as never);
    };
  };
  // The head sees what the body has bound.
  for (const name of termVars({ ...term, kind: "comprehension" }, new Set())) bound.add(name);
  const value = generateEval(g, term.value, bound);
  if (term.of === "array") {
    return collect(() => [], (frame) => {
      const count = (frame.slots[slot] as Value[]).push(value(frame) as Value);
      frame.evaluation.checkElements(count, term.loc);
    }, (sink: Value[]) => sink);
  }
  if (term.of === "set") {
    return collect(() => new SetBuilder(), (frame) => {
      const sink = frame.slots[slot] as SetBuilder;
      sink.add(value(frame) as Value);
      frame.evaluation.checkElements(sink.size, term.loc);
    }, (sink: SetBuilder) => sink.build());
  }
  const key = generateEval(g, term.key as Term, bound);
  return collect(() => new ObjectBuilder(), (frame) => {
    const sink = frame.slots[slot] as ObjectBuilder;
    const k = key(frame) as Value;
    const v = value(frame) as Value;
    const known = sink.get(k);
    if (known === undefined) {
      sink.set(k, v);
      frame.evaluation.checkElements(sink.size, term.loc);
    } else if (!equalValues(known, v)) throw conflict("object keys must be unique", term.loc);
  }, (sink: ObjectBuilder) => sink.build());
}
