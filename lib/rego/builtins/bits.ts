// SPDX-License-Identifier: Apache-2.0
/** bits.*: integers of any size as two's complement. */

import { RegoLimitError } from "../limits.ts";
import { fromBigInt } from "../numbers.ts";
import type { Value } from "../values.ts";
import { type Builtin, type BuiltinContext, family, numberType, operandError } from "./builtin.ts";
import { bigIntOperand, reserveDigits } from "./operands.ts";

/** Decimal digits of one bit. */
const DIGITS_PER_BIT = Math.log10(2);

function binary(name: string, operate: (a: bigint, b: bigint) => bigint): Builtin {
  return {
    name,
    args: [numberType, numberType],
    result: numberType,
    call: (context, args) => fromBigInt(operate(bigIntOperand(context, args, 1), bigIntOperand(context, args, 2))),
  };
}

function shiftOperand(context: BuiltinContext, args: readonly Value[]): bigint {
  const shift = bigIntOperand(context, args, 2);
  if (shift < 0n) throw operandError(2, "must be an unsigned integer number but got a negative integer");
  return shift;
}

export const bits = family(
  binary("bits.and", (a, b) => a & b),
  binary("bits.or", (a, b) => a | b),
  binary("bits.xor", (a, b) => a ^ b),
  {
    name: "bits.negate",
    args: [numberType],
    result: numberType,
    call: (context, args) => fromBigInt(~bigIntOperand(context, args, 1)),
  },
  {
    name: "bits.lsh",
    args: [numberType, numberType],
    result: numberType,
    call(context, args) {
      const value = bigIntOperand(context, args, 1);
      const shift = shiftOperand(context, args);
      if (value === 0n) return 0;
      if (shift > 1_000_000_000n) {
        throw new RegoLimitError(
          "maxNumberDigits",
          `Cannot shift by ${shift} bits: the number would have too many digits`,
        );
      }
      reserveDigits(context, Math.ceil(value.toString().length + Number(shift) * DIGITS_PER_BIT));
      return fromBigInt(value << shift);
    },
  },
  {
    name: "bits.rsh",
    args: [numberType, numberType],
    result: numberType,
    call(context, args) {
      const value = bigIntOperand(context, args, 1);
      const shift = shiftOperand(context, args);
      if (shift > 1_000_000n) return value < 0n ? -1 : 0;
      return fromBigInt(value >> shift);
    },
  },
);
