// SPDX-License-Identifier: Apache-2.0
/** The form in which the OPA peer writes values: JSON that keeps sets apart from arrays, and numbers as text. */

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
