// SPDX-License-Identifier: Apache-2.0
/** Writes values as OPA prints them: Rego text, strings quoted as in Go, sets in braces. */

import { formatNumber, isNumber } from "../numbers.ts";
import { isArray, RegoSet, type Value } from "../values.ts";
import { reserveText } from "./operands.ts";
import type { BuiltinContext } from "./builtin.ts";
import { quote } from "./text.ts";

/** The text of `value` as Rego source. @throws {RegoLimitError} before it becomes longer than a string may be. */
export function valueText(context: BuiltinContext, value: Value): string {
  const parts: string[] = [];
  let length = 0;
  const write = (text: string) => {
    length += text.length;
    if (length > context.limits.maxStringLength) reserveText(context, length);
    parts.push(text);
  };
  append(value, write);
  reserveText(context, length);
  return parts.join("");
}

/** The text of `value` inside a printed line or a template: a string stands for itself. */
export function printedText(context: BuiltinContext, value: Value): string {
  return typeof value === "string" ? value : valueText(context, value);
}

function append(value: Value, write: (text: string) => void): void {
  if (typeof value === "string") write(quote(value));
  else if (isNumber(value)) write(formatNumber(value));
  else if (value === null || typeof value === "boolean") write(String(value));
  else if (isArray(value)) list("[", value, "]", write);
  else if (value instanceof RegoSet) {
    if (value.size === 0) write("set()");
    else list("{", value.values(), "}", write);
  } else {
    write("{");
    let first = true;
    for (const [key, member] of value.entries()) {
      if (!first) write(", ");
      first = false;
      append(key, write);
      write(": ");
      append(member, write);
    }
    write("}");
  }
}

function list(open: string, values: readonly Value[], close: string, write: (text: string) => void): void {
  write(open);
  for (const [index, value] of values.entries()) {
    if (index > 0) write(", ");
    append(value, write);
  }
  write(close);
}
