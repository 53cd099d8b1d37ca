// SPDX-License-Identifier: Apache-2.0
/** Calls one builtin with plain values and writes what it answers as one line of text, for tables in tests. */

import assert from "node:assert/strict";
import { type BuiltinContext, RegoBuiltinError } from "../../rego/builtins/builtin.ts";
import { builtins } from "../../rego/builtins/table.ts";
import { formatJson, fromJson, parseJson } from "../../rego/json.ts";
import { type Limits, RegoLimitError, resolveLimits } from "../../rego/limits.ts";
import { ObjectBuilder, setOf, type Value } from "../../rego/values.ts";

/** Stands for a set in a table. */
export function set(...members: unknown[]): { readonly set: readonly unknown[] } {
  return { set: members };
}

/** Stands for a number by its text. */
export function num(text: string): { readonly num: string } {
  return { num: text };
}

/** What a call may use; a fixed clock, counted steps, random bytes that count up. */
export interface CallOptions {
  readonly limits?: Partial<Limits>;
  readonly now?: bigint;
}

/** A context for builtins, and how many steps were charged to it. */
export function builtinContext({ limits, now = 0n }: CallOptions = {}): BuiltinContext & { readonly steps: number } {
  const resolved = resolveLimits(limits);
  let steps = 0;
  let next = 0;
  return {
    limits: resolved,
    cache: new Map(),
    now: () => now,
    random: (bytes) => Uint8Array.from({ length: bytes }, () => next++ & 0xff),
    charge(count) {
      steps += count;
      if (steps > resolved.maxSteps) throw new RegoLimitError("maxSteps", "Cannot go on: steps are used up");
    },
    get steps() {
      return steps;
    },
  };
}

/** The Rego value of plain data with `set` and `num` in it. */
function regoValue(plain: unknown): Value {
  if (Array.isArray(plain)) return plain.map(regoValue);
  if (typeof plain === "object" && plain !== null) {
    const entries = Object.entries(plain);
    if ("set" in plain && entries.length === 1) return setOf((plain.set as unknown[]).map(regoValue));
    if ("num" in plain && entries.length === 1) return parseJson(plain.num as string);
    const builder = new ObjectBuilder();
    for (const [key, value] of entries) builder.set(key, regoValue(value));
    return builder.build();
  }
  return fromJson(plain);
}

/** JSON of the result, "undefined", or "<code>: <message>" of the error; `limit <name>` when a limit stopped it. */
export function callBuiltin(name: string, args: readonly unknown[], options: CallOptions = {}): string {
  const builtin = builtins.get(name);
  assert.ok(builtin, `there is no builtin ${name}`);
  assert.equal(args.length, builtin.args.length, `${name} takes ${builtin.args.length} arguments`);
  try {
    const result = builtin.call(builtinContext(options), args.map(regoValue));
    return result === undefined ? "undefined" : formatJson(result);
  } catch (error) {
    if (error instanceof RegoBuiltinError) return `${error.code}: ${error.message}`;
    if (error instanceof RegoLimitError) return `limit ${error.limit}`;
    throw error;
  }
}

/** One line of a table: the builtin, its arguments, and what callBuiltin gives. */
export type CallCase = readonly [name: string, args: readonly unknown[], want: string];

/** Characters of a call or an answer that a failing test shows. */
const MAX_SHOWN = 500;

/** Holds every line of a table. */
export function checkCalls(cases: readonly CallCase[], options: CallOptions = {}): void {
  for (const [name, args, want] of cases) {
    const call = `${name}(${JSON.stringify(args).slice(1, -1)})`.slice(0, MAX_SHOWN);
    assert.equal(callBuiltin(name, args, options).slice(0, MAX_SHOWN), want.slice(0, MAX_SHOWN), call);
  }
}
