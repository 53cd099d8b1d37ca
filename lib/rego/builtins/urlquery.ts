// SPDX-License-Identifier: Apache-2.0
/** urlquery.*: query strings as Go's net/url reads and writes them. */

import { isArray, ObjectBuilder, RegoSet } from "../values.ts";
import { sortedMembers } from "../json.ts";
import {
  arrayOrSetType,
  arrayType,
  type BuiltinContext,
  builtinError,
  family,
  objectType,
  operandError,
  orType,
  stringType,
} from "./builtin.ts";
import { chargeText, objectOperand, reserveElements, reserveText, stringOperand } from "./operands.ts";
import { byteLength, fromBytes, quote, toBytes } from "./text.ts";

export const urlqueries = family(
  {
    name: "urlquery.encode",
    args: [stringType],
    result: stringType,
    call: (context, args) => escapeQuery(context, stringOperand(args, 1)),
  },
  {
    name: "urlquery.decode",
    args: [stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      chargeText(context, text.length);
      return unescapeQuery(text);
    },
  },
  {
    name: "urlquery.encode_object",
    args: [objectType(stringType, orType(stringType, arrayOrSetType(stringType)))],
    result: stringType,
    call(context, args) {
      const parts: string[] = [];
      for (const [key, member] of sortedMembers(objectOperand(args, 1))) {
        const values = isArray(member) ? member : member instanceof RegoSet ? member.values() : [member];
        reserveElements(context, values.length);
        for (const value of values) {
          if (typeof value !== "string") throw operandError(1, "values must be string, array[string], or set[string]");
          parts.push(`${escapeQuery(context, key)}=${escapeQuery(context, value)}`);
        }
      }
      const text = parts.join("&");
      reserveText(context, text.length);
      return text;
    },
  },
  {
    name: "urlquery.decode_object",
    args: [stringType],
    result: objectType(stringType, arrayType(stringType)),
    call(context, args) {
      const text = stringOperand(args, 1);
      chargeText(context, text.length);
      const found = new Map<string, string[]>();
      for (const part of text.split("&")) {
        if (part.includes(";")) throw builtinError("invalid semicolon separator in query");
        if (part === "") continue;
        context.charge(1);
        const at = part.indexOf("=");
        const key = unescapeQuery(at < 0 ? part : part.slice(0, at));
        const value = at < 0 ? "" : unescapeQuery(part.slice(at + 1));
        const values = found.get(key);
        if (values) values.push(value);
        else found.set(key, [value]);
      }
      const builder = new ObjectBuilder();
      for (const [key, values] of found) builder.set(key, values);
      return builder.build();
    },
  },
);

/** Every byte but letters, digits and `-_.~` escaped, a space as `+`. */
function escapeQuery(context: BuiltinContext, text: string): string {
  reserveText(context, byteLength(text) * 3);
  const parts: string[] = [];
  for (const byte of toBytes(text)) {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9_.~-]/.test(character)) parts.push(character);
    else parts.push(byte === 0x20 ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`);
  }
  return parts.join("");
}

function unescapeQuery(text: string): string {
  const plain = text.replaceAll("+", " ");
  return plain.includes("%") ? unescapePercent(plain) : plain;
}

/** Replaces `%XX` by bytes. @throws {RegoBuiltinError} for a percent sign without two hexadecimal digits. */
export function unescapePercent(text: string): string {
  const bytes: number[] = [];
  const source = toBytes(text);
  for (let index = 0; index < source.length; index++) {
    const byte = source[index] as number;
    if (byte !== 0x25) {
      bytes.push(byte);
      continue;
    }
    const digits = String.fromCharCode(...source.subarray(index + 1, index + 3));
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
      throw builtinError(`invalid URL escape ${quote(fromBytes(source.subarray(index, index + 3)))}`);
    }
    bytes.push(Number.parseInt(digits, 16));
    index += 2;
  }
  return fromBytes(Uint8Array.from(bytes));
}
