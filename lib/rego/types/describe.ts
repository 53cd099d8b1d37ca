// SPDX-License-Identifier: Apache-2.0
/** Tells people what a type is, in a few words. */

import type { Type } from "../builtins/builtin.ts";
import { formatJson } from "../json.ts";

/** Types inside types are told this deep. */
const MAX_TOLD_DEPTH = 2;

/** Alternatives, items and keys that are told of one type. */
const MAX_TOLD = 6;

/** "a string", "an array of numbers", "an object with "a", "b"", "a number or a set". */
export function typeText(type: Type | undefined, depth = 0): string {
  if (type === undefined) return "of no known type";
  switch (type.kind) {
    case "any":
      return "anything";
    case "null":
      return "null";
    case "array":
      if (depth >= MAX_TOLD_DEPTH) return "an array";
      return type.items.length === 0 ? collection("an array", type.rest, depth) : tuple(type.items, depth);
    case "set":
      return depth >= MAX_TOLD_DEPTH ? "a set" : collection("a set", type.of, depth);
    case "object": {
      const keys = keyList(type);
      return keys === "" ? "an object" : `an object with ${keys}`;
    }
    case "or":
      return shorten(type.of.map((each) => typeText(each, depth + 1)), " or ");
    default:
      return `a ${type.kind}`;
  }
}

function collection(name: string, of: Type | undefined, depth: number): string {
  if (of === undefined) return name.replace(/^an? /, "an empty ");
  return of.kind === "any" ? name : `${name} of ${pluralText(of, depth + 1)}`;
}

function tuple(items: readonly (Type | undefined)[], depth: number): string {
  return `an array [${shorten(items.map((item) => bareText(item, depth + 1)), ", ")}]`;
}

function pluralText(type: Type, depth: number): string {
  switch (type.kind) {
    case "null":
    case "any":
      return typeText(type, depth);
    case "or":
      return shorten(type.of.map((each) => pluralText(each, depth)), " or ");
    default:
      return `${type.kind}s`;
  }
}

function bareText(type: Type | undefined, depth: number): string {
  return typeText(type, depth).replace(/^an? /, "");
}

/** The known keys of an object. */
export function keyList(type: Type | undefined): string {
  if (type?.kind !== "object") return "";
  return shorten([...type.members.values()].map(({ key }) => formatJson(key)), ", ");
}

function shorten(parts: readonly string[], separator: string): string {
  const unique = [...new Set(parts)];
  const told = unique.slice(0, MAX_TOLD).join(separator);
  return unique.length > MAX_TOLD ? `${told}${separator}…` : told;
}
