// SPDX-License-Identifier: Apache-2.0
/** JSON text as Go's encoding/json writes it: HTML characters escaped, keys sorted, numbers as they were written. */

import { formatNumber, isNumber } from "../numbers.ts";
import { goJsonString, sortedMembers, writeGoJson } from "../json.ts";
import { isArray, RegoSet, type Value } from "../values.ts";
import type { BuiltinContext } from "./builtin.ts";
import { reserveText } from "./operands.ts";

/** How a pretty text begins its lines. */
export interface Indentation {
  readonly prefix: string;
  readonly indent: string;
}

/** Writes `value`; without `pretty` on one line. @throws {RegoLimitError} before it becomes too long. */
export function goJson(context: BuiltinContext, value: Value, pretty?: Indentation): string {
  const parts: string[] = [];
  let length = 0;
  const write = (text: string) => {
    length += text.length;
    if (length > context.limits.maxStringLength) reserveText(context, length);
    parts.push(text);
  };
  if (pretty) append(value, write, pretty, `\n${pretty.prefix}`);
  else writeGoJson(value, write);
  reserveText(context, length);
  return parts.join("");
}

function append(value: Value, write: (text: string) => void, pretty: Indentation, line: string): void {
  if (typeof value === "string") return write(goJsonString(value));
  if (isNumber(value)) return write(formatNumber(value));
  if (value === null || typeof value === "boolean") return write(String(value));
  const deeper = line + pretty.indent;
  if (isArray(value) || value instanceof RegoSet) {
    const items = isArray(value) ? value : value.values();
    if (items.length === 0) return write("[]");
    for (const [index, item] of items.entries()) {
      write(index === 0 ? "[" : ",");
      write(deeper);
      append(item, write, pretty, deeper);
    }
    write(line);
    return write("]");
  }
  const members = sortedMembers(value);
  if (members.length === 0) return write("{}");
  for (const [index, [key, member]] of members.entries()) {
    write(index === 0 ? "{" : ",");
    write(`${deeper}${goJsonString(key)}: `);
    append(member, write, pretty, deeper);
  }
  write(line);
  write("}");
}
