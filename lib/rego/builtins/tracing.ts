// SPDX-License-Identifier: Apache-2.0
/** trace, print and string interpolation: what a policy says to people, made of values. */

import { RegoSet, type Value } from "../values.ts";
import {
  anyType,
  arrayType,
  booleanType,
  type BuiltinContext,
  builtinError,
  family,
  setType,
  stringType,
} from "./builtin.ts";
import { arrayOperand, reserveText, stringOperand } from "./operands.ts";
import { printedText } from "./value_text.ts";

export const tracing = family(
  {
    name: "trace",
    args: [stringType],
    result: booleanType,
    call(context, args) {
      context.trace?.(stringOperand(args, 1));
      return true;
    },
  },
  {
    name: "internal.print",
    args: [arrayType(setType())],
    result: booleanType,
    call(context, args) {
      if (context.print) { for (const line of printedLines(context, arrayOperand(args, 1), " ")) context.print(line); }
      return true;
    },
  },
  {
    name: "internal.template_string",
    args: [arrayType(anyType)],
    result: stringType,
    call(context, args) {
      const [line, second] = printedLines(context, arrayOperand(args, 1), "");
      if (line === undefined || second !== undefined) {
        throw builtinError("template-strings must not produce multiple outputs");
      }
      return line;
    },
  },
);

/**
 * The lines that `operands` print: a scalar is itself, a set stands for its members, one line for each combination,
 * and an empty set for a value that is undefined.
 */
function* printedLines(
  context: BuiltinContext,
  operands: readonly Value[],
  separator: string,
): Generator<string, undefined> {
  const choices = operands.map((operand) => {
    if (!(operand instanceof RegoSet)) return [printedText(context, operand)];
    if (operand.size === 0) return ["<undefined>"];
    return operand.values().map((value) => printedText(context, value));
  });
  const picked = choices.map(() => 0);
  while (true) {
    context.charge(1 + choices.length);
    const line = choices.map((texts, index) => texts[picked[index] as number] as string);
    reserveText(context, line.reduce((length, text) => length + text.length + separator.length, 0));
    yield line.join(separator);
    let position = picked.length - 1;
    while (position >= 0 && picked[position] === (choices[position] as string[]).length - 1) picked[position--] = 0;
    if (position < 0) return undefined;
    picked[position] = (picked[position] as number) + 1;
  }
}
