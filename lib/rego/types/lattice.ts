// SPDX-License-Identifier: Apache-2.0
/** Relates types to each other: unions, members, and whether a value can be of two types at once. */

import {
  anyType,
  booleanType,
  nullType,
  numberType,
  type ObjectType,
  stringType,
  type Type,
} from "../builtins/builtin.ts";
import { BigNumber, isNumber } from "../numbers.ts";
import { isArray, type Key, keyOf, type RegoObject, RegoSet, type Value } from "../values.ts";

/** A union of more types than this is `any`: comparing two of them takes the product of their sizes. */
const MAX_ALTERNATIVES = 64;

/** A type that is nested deeper than this is `any`: rules can nest values of other rules without end. */
const MAX_DEPTH = 64;

/** Remembers what it has found out about a type, so that types that share parts cost their parts once. */
export interface Lattice {
  /** The union; unknown ones do not count. Undefined when nothing is known. */
  either(types: Iterable<Type | undefined>): Type | undefined;
  /** What a reference may put into brackets after a value of this type; undefined when nothing. */
  keys(type: Type | undefined): Type | undefined;
  /** What such a reference gives. */
  values(type: Type | undefined): Type | undefined;
  /** What `[key]` gives; undefined when there is certainly no such member. */
  select(type: Type | undefined, key: Value): Type | undefined;
  /** False only if no value is of both types. */
  mayEqual(a: Type | undefined, b: Type | undefined): boolean;
  /** Some part of it is not known. An empty set counts, too: the type of its members is not. */
  hasUnknown(type: Type | undefined): boolean;
  /** The type, or `any` when it is nested too deeply. */
  bounded(type: Type): Type;
}

export function createLattice(): Lattice {
  const ids = new Map<string, number>();
  const known = new WeakMap<Type, { id: number; depth: number }>();
  const unknown = new WeakMap<Type, boolean>();
  const allKeys = new WeakMap<Type, Type>();
  const allValues = new WeakMap<Type, Type>();
  const equal = new Map<string, boolean>();

  /** Types with the same structure, and only they, have the same number. */
  function describe(type: Type): { id: number; depth: number } {
    const found = known.get(type);
    if (found) return found;
    let depth = 0;
    const part = (of: Type | undefined): string => {
      if (of === undefined) return "?";
      const inner = describe(of);
      depth = Math.max(depth, inner.depth);
      return String(inner.id);
    };
    const text = structure(type, part);
    let id = ids.get(text);
    if (id === undefined) ids.set(text, id = ids.size);
    const described = { id, depth: depth + 1 };
    known.set(type, described);
    return described;
  }

  function same(a: Type, b: Type): boolean {
    return a === b || describe(a).id === describe(b).id;
  }

  function either(types: Iterable<Type | undefined>): Type | undefined {
    const found = new Map<number, Type>();
    for (const type of types) {
      if (type === undefined) continue;
      if (type.kind === "any") return anyType;
      for (const each of type.kind === "or" ? type.of : [type]) found.set(describe(each).id, each);
    }
    if (found.size > MAX_ALTERNATIVES) return anyType;
    const of = [...found.values()];
    return of.length <= 1 ? of[0] : { kind: "or", of };
  }

  /** Computes `of(type)` once for each type. */
  function once(cache: WeakMap<Type, Type>, type: Type, of: () => Type | undefined): Type | undefined {
    const found = cache.get(type);
    if (found) return found;
    const made = of();
    if (made) cache.set(type, made);
    return made;
  }

  function keys(type: Type | undefined): Type | undefined {
    switch (type?.kind) {
      case "any":
        return anyType;
      case "array":
        return numberType;
      case "set":
        return type.of;
      case "object":
        return once(allKeys, type, () => {
          const members = type.members.values().map(({ key }) => typeOfValue(key));
          return either([...members, type.rest?.key]);
        });
      case "or":
        return once(allKeys, type, () => either(type.of.map(keys)));
      default:
        return undefined;
    }
  }

  function values(type: Type | undefined): Type | undefined {
    switch (type?.kind) {
      case "any":
        return anyType;
      case "array":
        return once(allValues, type, () => either([...type.items, type.rest]));
      case "set":
        return type.of;
      case "object":
        return once(allValues, type, () => {
          return either([...type.members.values().map(({ value }) => value), type.rest?.value]);
        });
      case "or":
        return once(allValues, type, () => either(type.of.map(values)));
      default:
        return undefined;
    }
  }

  function select(type: Type | undefined, key: Value): Type | undefined {
    switch (type?.kind) {
      case "any":
        return anyType;
      case "array": {
        // As OPA: 1.0 and 1e0 are no index here.
        const index = key instanceof BigNumber && key.text === "-0" ? 0 : key;
        if (typeof index !== "number" || !Number.isInteger(index) || index < 0) return undefined;
        return index < type.items.length ? type.items[index] : type.rest;
      }
      case "set":
        return has(type.of, typeOfValue(key)) ? typeOfValue(key) : undefined;
      case "object":
        return selectMember(type, key);
      case "or":
        return either(type.of.map((each) => select(each, key)));
      default:
        return undefined;
    }
  }

  function selectMember({ members, rest }: ObjectType, key: Value): Type | undefined {
    const member = members.get(keyOf(key));
    if (member) return member.value;
    return rest && has(rest.key, typeOfValue(key)) ? rest.value : undefined;
  }

  /** True when `type` is `one`, or `one` of several. */
  function has(type: Type | undefined, one: Type): boolean {
    if (type === undefined) return false;
    if (type.kind === "any") return true;
    return type.kind === "or" ? type.of.some((each) => same(each, one)) : same(type, one);
  }

  function mayEqual(a: Type | undefined, b: Type | undefined): boolean {
    if (a === undefined || b === undefined) return false;
    if (a.kind === "any" || b.kind === "any") return true;
    if (isSimple(a) && isSimple(b)) return a.kind === b.kind;
    const pair = `${describe(a).id} ${describe(b).id}`;
    let found = equal.get(pair);
    if (found === undefined) equal.set(pair, found = compare(a, b));
    return found;
  }

  function compare(a: Type, b: Type): boolean {
    if (a.kind === "or") return a.of.some((each) => mayEqual(each, b));
    if (b.kind === "or") return b.of.some((each) => mayEqual(a, each));
    if (a.kind === "array" && b.kind === "array") {
      for (let i = 0; i < Math.max(a.items.length, b.items.length); i++) {
        if (!mayEqual(i < a.items.length ? a.items[i] : a.rest, i < b.items.length ? b.items[i] : b.rest)) return false;
      }
      return bothRest(a.rest, b.rest);
    }
    if (a.kind === "set" && b.kind === "set") return bothRest(a.of, b.of);
    if (a.kind === "object" && b.kind === "object") {
      return fits(a, b) && fits(b, a) && bothRest(a.rest?.value, b.rest?.value);
    }
    return false;
  }

  /** What may be missing on one side need not be equal. */
  function bothRest(a: Type | undefined, b: Type | undefined): boolean {
    return a === undefined || b === undefined || mayEqual(a, b);
  }

  /** Every known member of `a` may be one of `b`. */
  function fits(a: ObjectType, b: ObjectType): boolean {
    const isOpen = a.rest?.value !== undefined || b.rest?.value !== undefined;
    for (const { key, value } of a.members.values()) {
      const other = selectMember(b, key);
      if (other === undefined ? !isOpen : !mayEqual(value, other)) return false;
    }
    return true;
  }

  function hasUnknown(type: Type | undefined): boolean {
    if (type === undefined) return true;
    if (isSimple(type) || type.kind === "or") return false;
    let found = unknown.get(type);
    if (found === undefined) unknown.set(type, found = looksUnknown(type));
    return found;
  }

  function looksUnknown(type: Type): boolean {
    switch (type.kind) {
      case "array":
        return type.items.some(hasUnknown) || (type.rest !== undefined && hasUnknown(type.rest));
      case "set":
        return hasUnknown(type.of);
      case "object":
        return type.members.values().some(({ value }) => hasUnknown(value)) ||
          (type.rest !== undefined && (hasUnknown(type.rest.key) || hasUnknown(type.rest.value)));
      default:
        return false;
    }
  }

  return {
    either,
    keys,
    values,
    select,
    mayEqual,
    hasUnknown,
    bounded: (type) => isSimple(type) || describe(type).depth <= MAX_DEPTH ? type : anyType,
  };
}

function isSimple(type: Type): boolean {
  return type.kind !== "array" && type.kind !== "object" && type.kind !== "set" && type.kind !== "or";
}

/** A text that tells the structure, given the texts of its parts. */
function structure(type: Type, part: (type: Type | undefined) => string): string {
  switch (type.kind) {
    case "array":
      return `[${type.items.map(part).join()}|${type.rest ? part(type.rest) : ""}]`;
    case "set":
      return `<${part(type.of)}>`;
    case "object": {
      const members = [...type.members].map(([key, { value }]) => `${keyText(key)}:${part(value)}`).sort();
      return `{${members.join()}|${type.rest ? `${part(type.rest.key)}:${part(type.rest.value)}` : ""}}`;
    }
    case "or":
      return `(${type.of.map(part).sort().join()})`;
    default:
      return type.kind;
  }
}

function keyText(key: Key): string {
  return typeof key === "string" ? JSON.stringify(key) : String(key);
}

/** The type of one value; sets in keys count as arrays, as they do in JSON. */
export function typeOfValue(value: Value): Type {
  if (value === null) return nullType;
  if (typeof value === "string") return stringType;
  if (typeof value === "boolean") return booleanType;
  if (isNumber(value)) return numberType;
  if (isArray(value)) return { kind: "array", items: value.map(typeOfValue), rest: undefined };
  if (value instanceof RegoSet) return { kind: "array", items: value.values().map(typeOfValue), rest: undefined };
  return objectTypeOf(value as RegoObject);
}

function objectTypeOf(value: RegoObject): Type {
  const members = [...value.entries()].map(([key, each]) => [keyOf(key), { key, value: typeOfValue(each) }] as const);
  return { kind: "object", members: new Map(members), rest: undefined };
}
