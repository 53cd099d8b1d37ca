// SPDX-License-Identifier: Apache-2.0
/** The form in which the OPA peer writes values: JSON that keeps sets apart from arrays, and numbers as text. */

import { formatNumber, isNumber } from "../../rego/numbers.ts";
import { RegoObject, RegoSet, type Value } from "../../rego/values.ts";
import { canonicalNumber } from "./judge.ts";

/** A value as the OPA peer writes it; members of sets and objects are in OPA's order. */
export type TypedValue =
  | null
  | boolean
  | string
  | { readonly n: string }
  | { readonly a: readonly TypedValue[] }
  | { readonly s: readonly TypedValue[] }
  | { readonly o: readonly (readonly [TypedValue, TypedValue])[] };

/** JSON as OPA's results have it: sets as arrays, keys that are not strings as their JSON text. */
export function typedToJson(value: TypedValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("n" in value) return value.n;
  if ("a" in value) return `[${value.a.map(typedToJson).join()}]`;
  if ("s" in value) return `[${value.s.map(typedToJson).join()}]`;
  const members = value.o.map(([key, member]) => {
    const name = typeof key === "string" ? key : typedToJson(key);
    return `${JSON.stringify(name)}:${typedToJson(member)}`;
  });
  return `{${members.join()}}`;
}

/** A value of lib/rego in the same form, in the order in which it iterates. */
export function typedOf(value: Value): TypedValue {
  if (isNumber(value)) return { n: formatNumber(value) };
  // A byte that is no UTF-8 (hex.decode) stands as a lone surrogate; Go writes it to JSON as U+FFFD.
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof RegoSet) return { s: value.values().map(typedOf) };
  if (value instanceof RegoObject) {
    return { o: [...value.entries()].map(([key, member]) => [typedOf(key), typedOf(member)]) };
  }
  return { a: (value as readonly Value[]).map(typedOf) };
}

/** One text for equal values; numbers by value, members in the order they stand in. */
export function typedText(value: TypedValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  // OPA hands on what to_number("+1") read as it was written, though JSON has no such number.
  if ("n" in value) {
    const text = value.n.replace(/^\+/, "").replace(/^(-?)\./, "$10.").replace(/\.(?!\d)/, "");
    return /^-?\d[\deE.+-]*$/.test(text) ? canonicalNumber(text) : `number ${text}`;
  }
  if ("a" in value) return `[${value.a.map(typedText).join()}]`;
  if ("s" in value) return `<${value.s.map(typedText).join()}>`;
  return `{${value.o.map(([key, member]) => `${typedText(key)}:${typedText(member)}`).join()}}`;
}
