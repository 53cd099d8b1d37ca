// SPDX-License-Identifier: Apache-2.0
/** Compiles `with`: the expression sees other documents and functions, the rest of the body does not. */

import type { Expr, With } from "./ast.ts";
import { type Bound, constantOf, generateEval, type Generator } from "./codegen.ts";
import { findFunction } from "./codegen_call.ts";
import { RegoError } from "./limits.ts";
import { dottedName } from "./resolve.ts";
import { operatorName, pathName } from "./rule_names.ts";
import { type Eval, Frame, type Mock, Scope, type Step } from "./runtime.ts";
import { ObjectBuilder, RegoObject, type Value } from "./values.ts";

/** What one `with` does to the documents. */
type Change =
  | { readonly kind: "input" | "data"; readonly path: readonly Value[]; readonly value: Eval }
  | { readonly kind: "mock"; readonly name: string; mock(frame: Frame): Mock | undefined };

export function generateWith(g: Generator, expr: Expr, bound: Bound, next: Step, inner: (after: Step) => Step): Step {
  const changes = expr.withs.map((modifier) => generateChange(g, modifier, bound));
  const slot = g.spare();
  const step = inner((frame) => {
    const changed = frame.scope;
    frame.scope = frame.slots[slot] as Scope;
    const stop = next(frame);
    frame.scope = changed;
    return stop;
  });
  return (frame) => {
    const outer = frame.scope;
    const changed = changeScope(frame, changes, expr.loc);
    if (changed === undefined) return false;
    frame.slots[slot] = outer;
    frame.scope = changed;
    const stop = step(frame);
    frame.scope = outer;
    return stop;
  };
}

function generateChange(g: Generator, { target, value, replacement, loc }: With, bound: Bound): Change {
  const name = dottedName(target) as string[];
  const isFunction = name && (name[0] !== "input") && g.program.arity(name) >= 0;
  if (isFunction) {
    if (replacement) {
      const { call } = findFunction(g, replacement, loc);
      // Inside the replacement nothing is replaced: it may call the original.
      const mock: Mock = {
        call: ({ evaluation, input, data, shadowed }, args) =>
          call(new Scope(evaluation, input, data, shadowed, undefined), args),
      };
      return { kind: "mock", name: operatorName(name), mock: () => mock };
    }
    const evaluate = generateEval(g, value, bound);
    if (value.kind === "ref") {
      // A rule: it is evaluated where the function would be, with what is replaced there.
      const mock: Mock = { call: (scope) => evaluate(new Frame(scope, 0)) };
      return { kind: "mock", name: operatorName(name), mock: () => mock };
    }
    return {
      kind: "mock",
      name: operatorName(name),
      mock(frame) {
        const result = evaluate(frame);
        return result === undefined ? undefined : { value: result };
      },
    };
  }
  const path = target.kind === "ref" ? target.path.map((part) => constantOf(part) as Value) : [];
  return { kind: name[0] === "input" ? "input" : "data", path, value: generateEval(g, value, bound) };
}

function changeScope(frame: Frame, changes: readonly Change[], location: Expr["loc"]): Scope | undefined {
  const { scope } = frame;
  let { input, data, shadowed, mocks } = scope;
  for (const change of changes) {
    if (change.kind === "mock") {
      const mock = change.mock(frame);
      if (mock === undefined) return undefined;
      mocks = new Map(mocks).set(change.name, mock);
      continue;
    }
    const value = change.value(frame);
    if (value === undefined) return undefined;
    if (change.kind === "input") input = replaceAt(input, change.path, value);
    else {
      const replaced = replaceAt(data, change.path, value);
      if (!(replaced instanceof RegoObject)) {
        throw new RegoError({ code: "eval_with_merge_error", message: "data must be an object", location });
      }
      data = replaced;
      shadowed = new Set(shadowed).add(pathName(change.path));
    }
  }
  return new Scope(frame.evaluation, input, data, shadowed, mocks);
}

/** A copy of `root` with `value` at `path`; what is not an object on the way is replaced. */
function replaceAt(root: Value | undefined, path: readonly Value[], value: Value): Value {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const object = root instanceof RegoObject ? root : RegoObject.empty;
  const builder = new ObjectBuilder(object);
  builder.set(key, replaceAt(object.get(key), rest, value));
  return builder.build();
}
