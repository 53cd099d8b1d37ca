// SPDX-License-Identifier: Apache-2.0
/** JSON text as Go's encoding/json writes it: HTML characters escaped, keys sorted, numbers as they were written. */

import { formatNumber, isNumber } from "../numbers.ts";
import { jsonKey } from "../json.ts";
import { compareStrings, isArray, type RegoObject, RegoSet, type Value } from "../values.ts";
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
  append(value, write, pretty, pretty ? `\n${pretty.prefix}` : "");
  reserveText(context, length);
  return parts.join("");
}

function append(value: Value, write: (text: string) => void, pretty: Indentation | undefined, line: string): void {
  if (typeof value === "string") return write(goJsonString(value));
  if (isNumber(value)) return write(formatNumber(value));
  if (value === null || typeof value === "boolean") return write(String(value));
  const deeper = pretty ? line + pretty.indent : "";
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
    write(deeper);
    write(goJsonString(key) + (pretty ? ": " : ":"));
    append(member, write, pretty, deeper);
  }
  write(line);
  write("}");
}

/** The members by their JSON keys, in the order of the keys' bytes; of keys that become equal the last stays. */
export function sortedMembers(object: RegoObject): readonly (readonly [string, Value])[] {
  const members: (readonly [string, Value])[] = [];
  let plain = true;
  for (const [key, value] of object.entries()) {
    plain &&= typeof key === "string";
    members.push([jsonKey(key), value]);
  }
  if (plain) return members;
  return [...new Map(members)].sort((a, b) => compareStrings(a[0], b[0]));
}

const ESCAPES: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** A JSON string with the characters escaped that Go escapes; a byte that is not UTF-8 becomes `\ufffd`. */
export function goJsonString(text: string): string {
  const formed = text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, "\uE000\uFFFD");
  const json = JSON.stringify(formed).replace(/[<>&\u2028\u2029]/g, (character) => ESCAPES[character] as string);
  return formed === text ? json : json.replaceAll("\uE000\uFFFD", "\\ufffd");
}
