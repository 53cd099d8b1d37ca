// SPDX-License-Identifier: Apache-2.0
/** The arithmetic operators by their OPA names, rounding, numbers.range and rand.intn. */

import { absolute, add, ceil, divide, floor, multiply, remainder, round, subtract } from "../arithmetic.ts";
import { RegoLimitError } from "../limits.ts";
import { fromBigInt, int64Of, isNumber, type RegoNumber } from "../numbers.ts";
import { RegoSet, type Value } from "../values.ts";
import {
  arrayType,
  type Builtin,
  type BuiltinContext,
  builtinError,
  family,
  numberType,
  operandError,
  orType,
  setType,
  stringType,
} from "./builtin.ts";
import { bigIntOperand, chargeNumber, numberOperand, reserveElements, stringOperand, typeError } from "./operands.ts";
import { difference } from "./sets.ts";

type Operation = (a: RegoNumber, b: RegoNumber, context: BuiltinContext) => RegoNumber;

function binary(name: string, operate: Operation): Builtin {
  return {
    name,
    args: [numberType, numberType],
    result: numberType,
    call(context, args) {
      const a = numberOperand(args, 1);
      const b = numberOperand(args, 2);
      chargeNumber(context, a);
      chargeNumber(context, b);
      return operate(a, b, context);
    },
  };
}

function unary(name: string, operate: (a: RegoNumber) => RegoNumber): Builtin {
  return {
    name,
    args: [numberType],
    result: numberType,
    call(context, args) {
      const value = numberOperand(args, 1);
      chargeNumber(context, value);
      return operate(value);
    },
  };
}

export const numbers = family(
  binary("plus", add),
  binary("mul", (a, b, context) => multiply(a, b, context.limits.maxNumberDigits)),
  binary("div", divide),
  binary("rem", remainder),
  {
    name: "minus",
    args: [orType(numberType, setType()), orType(numberType, setType())],
    result: orType(numberType, setType()),
    call(context, args) {
      const [a, b] = args as [Value, Value];
      if (isNumber(a) && isNumber(b)) {
        chargeNumber(context, a);
        chargeNumber(context, b);
        return subtract(a, b);
      }
      if (a instanceof RegoSet && b instanceof RegoSet) return difference(context, a, b);
      if (!isNumber(a) && !(a instanceof RegoSet)) throw typeError(1, a, "number", "set");
      throw typeError(2, b, isNumber(b) ? "set" : "number");
    },
  },
  unary("abs", absolute),
  unary("ceil", ceil),
  unary("floor", floor),
  unary("round", round),
  {
    name: "numbers.range",
    args: [numberType, numberType],
    result: arrayType(numberType),
    call: (context, args) => range(context, bigIntOperand(context, args, 1), bigIntOperand(context, args, 2), 1n),
  },
  {
    name: "numbers.range_step",
    args: [numberType, numberType, numberType],
    result: arrayType(numberType),
    call(context, args) {
      const from = bigIntOperand(context, args, 1);
      const to = bigIntOperand(context, args, 2);
      const step = bigIntOperand(context, args, 3);
      if (step <= 0n) throw builtinError("numbers.range_step: step must be a positive integer");
      return range(context, from, to, step);
    },
  },
  {
    name: "rand.intn",
    args: [stringType, numberType],
    result: numberType,
    nondeterministic: true,
    call(context, args) {
      const seed = stringOperand(args, 1);
      const bound = int64Of(numberOperand(args, 2));
      if (bound === undefined) throw operandError(2, "must be integer number but got floating-point number");
      if (bound === 0n) return 0;
      const limit = bound < 0n ? -bound : bound;
      const key = `rand.intn:${limit}:${seed}`;
      const known = context.cache.get(key) as RegoNumber | undefined;
      if (known !== undefined) return known;
      const drawn = fromBigInt(randomBelow(context, limit));
      context.cache.set(key, drawn);
      return drawn;
    },
  },
);

/** Every `step`th integer from `from` to `to`, downwards when `to` is less. */
function range(context: BuiltinContext, from: bigint, to: bigint, step: bigint): RegoNumber[] {
  const distance = to >= from ? to - from : from - to;
  const count = distance / step + 1n;
  if (count > BigInt(context.limits.maxElements)) {
    throw new RegoLimitError(
      "maxElements",
      `Cannot make a range of ${count} numbers: the limit is ${context.limits.maxElements}`,
    );
  }
  reserveElements(context, Number(count));
  const delta = to >= from ? step : -step;
  const values: RegoNumber[] = [];
  for (let value = from, left = count; left > 0n; left--, value += delta) values.push(fromBigInt(value));
  return values;
}

/** An unbiased draw below `limit` (at most 2^63): draws beyond the last whole multiple are thrown away. */
function randomBelow(context: BuiltinContext, limit: bigint): bigint {
  const spread = 1n << 64n;
  const usable = spread - (spread % limit);
  while (true) {
    context.charge(1);
    let drawn = 0n;
    for (const byte of context.random(8)) drawn = (drawn << 8n) | BigInt(byte);
    if (drawn < usable) return drawn % limit;
  }
}
