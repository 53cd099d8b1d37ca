// SPDX-License-Identifier: Apache-2.0
/** Sets: the operators `&` and `|`, and intersection and union of a set of sets. */

import { RegoSet, SetBuilder, setOf, type Value } from "../values.ts";
import { type BuiltinContext, family, setType } from "./builtin.ts";
import { reserveElements, setOperand } from "./operands.ts";

export const sets = family(
  {
    name: "and",
    args: [setType(), setType()],
    result: setType(),
    call: (context, args) => intersect(context, setOperand(args, 1), setOperand(args, 2)),
  },
  {
    name: "or",
    args: [setType(), setType()],
    result: setType(),
    call(context, args) {
      const a = setOperand(args, 1);
      const b = setOperand(args, 2);
      if (a.size === 0) return b;
      if (b.size === 0) return a;
      return unite(context, [a, b]);
    },
  },
  {
    name: "intersection",
    args: [setType(setType())],
    result: setType(),
    call(context, args) {
      const [first, ...rest] = membersOperand(args);
      let common = first ?? RegoSet.empty;
      for (const next of rest) common = intersect(context, common, next);
      return common;
    },
  },
  {
    name: "union",
    args: [setType(setType())],
    result: setType(),
    call: (context, args) => unite(context, membersOperand(args)),
  },
);

function membersOperand(args: readonly Value[]): readonly RegoSet[] {
  const members = setOperand(args, 1).values();
  return members.map((_, index) => setOperand([members[index] as Value], 1));
}

/** The members of both. */
function intersect(context: BuiltinContext, a: RegoSet, b: RegoSet): RegoSet {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  context.charge(small.size);
  const builder = new SetBuilder();
  for (const value of small.values()) if (large.has(value)) builder.add(value);
  return builder.build();
}

/** The members of `a` that `b` has not: the operator `-` on sets. */
export function difference(context: BuiltinContext, a: RegoSet, b: RegoSet): RegoSet {
  context.charge(a.size);
  return setOf(a.values().filter((value) => !b.has(value)));
}

function unite(context: BuiltinContext, all: readonly RegoSet[]): RegoSet {
  let count = 0;
  for (const set of all) count += set.size;
  reserveElements(context, count);
  const builder = new SetBuilder();
  for (const set of all) for (const value of set.values()) builder.add(value);
  return builder.build();
}
