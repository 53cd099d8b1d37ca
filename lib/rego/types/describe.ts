// SPDX-License-Identifier: Apache-2.0
/** Tells people what a type is, in a few words. */

import type { ObjectType, Type } from "../builtins/builtin.ts";
import { formatJson } from "../json.ts";

/** Types inside types are told this deep. */
const MAX_TOLD_DEPTH = 2;

/** Alternatives, items and keys that are told of one type. */
const MAX_TOLD = 6;

/** "a string", "an array of numbers", `an object {"a": string}`, "a number or a set". */
export function typeText(type: Type | undefined, depth = 0): string {
  if (type === undefined) return "anything";
  switch (type.kind) {
    case "any":
      return "anything";
    case "null":
      return "null";
    case "array":
      if (depth >= MAX_TOLD_DEPTH) return "an array";
      if (type.items.length === 0) return collectionText("array", type.rest, depth);
      return `an array [${listed(type.items.map((item) => bareText(item, depth + 1)))}]`;
    case "set":
      return depth >= MAX_TOLD_DEPTH ? "a set" : collectionText("set", type.of, depth);
    case "object":
      return depth >= MAX_TOLD_DEPTH ? "an object" : objectText(type, depth);
    case "or":
      return alternatives(type.of.map((each) => typeText(each, depth + 1)));
    default:
      return `a ${type.kind}`;
  }
}

function collectionText(kind: "array" | "set", of: Type | undefined, depth: number): string {
  if (of === undefined) return `an empty ${kind}`;
  const article = kind === "array" ? "an" : "a";
  return of.kind === "any" ? `${article} ${kind}` : `${article} ${kind} of ${pluralText(of, depth + 1)}`;
}

function objectText({ members, rest }: ObjectType, depth: number): string {
  const told = [...members.values()].map(({ key, value }) => `${formatJson(key)}: ${bareText(value, depth + 1)}`);
  if (told.length > 0) return `an object {${listed(rest ? [...told, "…"] : told)}}`;
  if (rest === undefined) return "an empty object";
  const isAnything = rest.key?.kind === "any" && rest.value?.kind === "any";
  return isAnything
    ? "an object"
    : `an object from ${pluralText(rest.key, depth + 1)} to ${pluralText(rest.value, depth + 1)}`;
}

/** "strings", "numbers or sets". */
export function pluralText(type: Type | undefined, depth = 0): string {
  if (type === undefined) return typeText(type, depth);
  switch (type.kind) {
    case "any":
    case "null":
      return typeText(type, depth);
    case "or":
      return alternatives(type.of.map((each) => pluralText(each, depth)));
    case "object":
      return depth >= MAX_TOLD_DEPTH ? "objects" : objectText(type, depth).replace(/^an (empty )?object/, "$1objects");
    default:
      return `${type.kind}s`;
  }
}

function bareText(type: Type | undefined, depth: number): string {
  return typeText(type, depth).replace(/^an? /, "");
}

/** The keys of an object of which all are known; "" for everything else. */
export function keysText(type: Type | undefined): string {
  if (type?.kind !== "object" || type.rest !== undefined) return "";
  return listed([...type.members.values()].map(({ key }) => formatJson(key)));
}

function listed(parts: readonly string[]): string {
  return parts.length > MAX_TOLD ? `${parts.slice(0, MAX_TOLD).join(", ")}, …` : parts.join(", ");
}

function alternatives(parts: readonly string[]): string {
  const unique = [...new Set(parts)];
  if (unique.length > MAX_TOLD) return listed(unique);
  const last = unique.pop() ?? "";
  return unique.length === 0 ? last : `${unique.join(", ")} or ${last}`;
}
