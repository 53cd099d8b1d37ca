// SPDX-License-Identifier: Apache-2.0
/** The values of Rego: what they are, when two are equal, and in which order OPA puts them. */

import { BigNumber, compareNumbers, numberKey } from "./numbers.ts";

/** Any Rego value. Arrays, objects and sets never change after they were made. `undefined` is not a value. */
export type Value = null | boolean | number | BigNumber | string | readonly Value[] | RegoObject | RegoSet;

/** Marks keys that are not the value itself. No well-formed string begins with a lone surrogate; others are escaped. */
const KEY_MARK = "\uD800";
const KEY_MARK_CODE = 0xd800;

/** What a JavaScript Map is asked for: equal values, and only they, have the same key. */
export type Key = null | boolean | number | string;

/** The key of `value`; a string, number, boolean or null is its own. */
export function keyOf(value: Value): Key {
  switch (typeof value) {
    case "string":
      return value.charCodeAt(0) === KEY_MARK_CODE ? KEY_MARK + "s" + value : value;
    case "number":
    case "boolean":
      return value;
    default:
      if (value === null) return null;
      if (value instanceof BigNumber) {
        const key = value.key;
        return typeof key === "number" ? key : KEY_MARK + "n" + key;
      }
      return KEY_MARK + canonicalText(value);
  }
}

/** An object: any value may be a key. Iteration is in OPA's order of keys. */
export class RegoObject {
  static readonly empty: RegoObject = new RegoObject(new Map(), undefined);

  readonly #values: ReadonlyMap<Key, Value>;
  /** The keys that are not their own Map key. */
  readonly #originals: ReadonlyMap<Key, Value> | undefined;
  #sorted: readonly Value[] | undefined;
  #text: string | undefined;

  /** Takes the maps; they must not change any more. Use objectOf() or ObjectBuilder. */
  constructor(values: ReadonlyMap<Key, Value>, originals: ReadonlyMap<Key, Value> | undefined) {
    this.#values = values;
    this.#originals = originals;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: Value): Value | undefined {
    return this.#values.get(keyOf(key));
  }

  has(key: Value): boolean {
    return this.#values.has(keyOf(key));
  }

  /** The keys in OPA's order. */
  keys(): readonly Value[] {
    if (this.#sorted === undefined) {
      const keys: Value[] = [];
      for (const key of this.#values.keys()) keys.push(this.#originals?.get(key) ?? key);
      this.#sorted = sortValues(keys);
    }
    return this.#sorted;
  }

  /** The members in OPA's order of keys. */
  *entries(): IterableIterator<[key: Value, value: Value]> {
    for (const key of this.keys()) yield [key, this.#values.get(keyOf(key)) as Value];
  }

  /** Equal objects, and only they, have equal texts; not JSON. */
  canonicalText(): string {
    if (this.#text === undefined) {
      const parts: string[] = [];
      for (const [key, value] of this.entries()) parts.push(canonicalText(key) + ":" + canonicalText(value));
      this.#text = "{" + parts.join() + "}";
    }
    return this.#text;
  }
}

/** A set. Iteration is in OPA's order. */
export class RegoSet {
  static readonly empty: RegoSet = new RegoSet(new Map());

  readonly #members: ReadonlyMap<Key, Value>;
  #sorted: readonly Value[] | undefined;
  #text: string | undefined;

  /** Takes the map from keyOf(member) to member; it must not change any more. Use setOf() or SetBuilder. */
  constructor(members: ReadonlyMap<Key, Value>) {
    this.#members = members;
  }

  get size(): number {
    return this.#members.size;
  }

  has(value: Value): boolean {
    return this.#members.has(keyOf(value));
  }

  /** The member equal to `value`. */
  get(value: Value): Value | undefined {
    return this.#members.get(keyOf(value));
  }

  /** The members in OPA's order. */
  values(): readonly Value[] {
    return this.#sorted ??= sortValues([...this.#members.values()]);
  }

  /** Equal sets, and only they, have equal texts; not JSON. */
  canonicalText(): string {
    return this.#text ??= "<" + this.values().map(canonicalText).join() + ">";
  }
}

/** Collects the members of an object; a later value for an equal key replaces the earlier one. */
export class ObjectBuilder {
  readonly #values: Map<Key, Value>;
  #originals: Map<Key, Value> | undefined;

  /** Begins with the members of `base`. */
  constructor(base?: RegoObject) {
    this.#values = new Map();
    if (base) { for (const [key, value] of base.entries()) this.set(key, value); }
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: Value): Value | undefined {
    return this.#values.get(keyOf(key));
  }

  set(key: Value, value: Value): void {
    const mapKey = keyOf(key);
    if (mapKey !== key && !this.#values.has(mapKey)) (this.#originals ??= new Map()).set(mapKey, key);
    this.#values.set(mapKey, value);
  }

  delete(key: Value): void {
    this.#values.delete(keyOf(key));
    this.#originals?.delete(keyOf(key));
  }

  /** Ends the collecting: the builder must not be used any more. */
  build(): RegoObject {
    return this.#values.size === 0 ? RegoObject.empty : new RegoObject(this.#values, this.#originals);
  }
}

/** Collects the members of a set. */
export class SetBuilder {
  readonly #members = new Map<Key, Value>();

  get size(): number {
    return this.#members.size;
  }

  has(value: Value): boolean {
    return this.#members.has(keyOf(value));
  }

  add(value: Value): void {
    const key = keyOf(value);
    if (!this.#members.has(key)) this.#members.set(key, value);
  }

  delete(value: Value): void {
    this.#members.delete(keyOf(value));
  }

  /** Ends the collecting: the builder must not be used any more. */
  build(): RegoSet {
    return this.#members.size === 0 ? RegoSet.empty : new RegoSet(this.#members);
  }
}

export function objectOf(entries: Iterable<readonly [Value, Value]>): RegoObject {
  const builder = new ObjectBuilder();
  for (const [key, value] of entries) builder.set(key, value);
  return builder.build();
}

export function setOf(values: Iterable<Value>): RegoSet {
  const builder = new SetBuilder();
  for (const value of values) builder.add(value);
  return builder.build();
}

export function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** "null", "boolean", "number", "string", "array", "object" or "set", as type_name() gives them. */
export function typeName(value: Value): string {
  return TYPE_NAMES[rank(value)] as string;
}

const TYPE_NAMES = ["null", "boolean", "number", "string", "array", "object", "set"];

function rank(value: Value): number {
  switch (typeof value) {
    case "boolean":
      return 1;
    case "number":
      return 2;
    case "string":
      return 3;
    default:
      if (value === null) return 0;
      if (value instanceof RegoObject) return 5;
      if (value instanceof RegoSet) return 6;
      return value instanceof BigNumber ? 2 : 4;
  }
}

export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    // A JavaScript number can equal a BigNumber: 1 and 1.0.
    if (a instanceof BigNumber) return typeof b === "number" && a.key === b;
    return b instanceof BigNumber && typeof a === "number" && b.key === a;
  }
  if (isArray(a)) {
    if (!isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equalValues(a[i] as Value, b[i] as Value)) return false;
    return true;
  }
  if (a instanceof RegoObject) {
    if (!(b instanceof RegoObject) || a.size !== b.size) return false;
    for (const [key, value] of a.entries()) {
      const other = b.get(key);
      if (other === undefined || !equalValues(value, other)) return false;
    }
    return true;
  }
  if (a instanceof RegoSet) {
    if (!(b instanceof RegoSet) || a.size !== b.size) return false;
    for (const value of a.values()) if (!b.has(value)) return false;
    return true;
  }
  return b instanceof BigNumber && (a as BigNumber).key === b.key;
}

/** Below 0, 0 or above 0: null < false < true < numbers < strings < arrays < objects < sets. */
export function compareValues(a: Value, b: Value): number {
  if (a === b) return 0;
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b);
  if (typeof a === "number" && typeof b === "number") return a - b;
  const rankA = rank(a);
  const rankB = rank(b);
  if (rankA !== rankB) return rankA - rankB;
  if (rankA === 1) return a === false ? -1 : 1;
  if (rankA === 2) return compareNumbers(a as number | BigNumber, b as number | BigNumber);
  if (a instanceof RegoObject) return compareObjects(a, b as RegoObject);
  if (a instanceof RegoSet) return compareLists(a.values(), (b as RegoSet).values());
  return compareLists(a as readonly Value[], b as readonly Value[]);
}

function compareLists(a: readonly Value[], b: readonly Value[]): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const order = compareValues(a[i] as Value, b[i] as Value);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: RegoObject, b: RegoObject): number {
  const keysA = a.keys();
  const keysB = b.keys();
  const shared = Math.min(keysA.length, keysB.length);
  for (let i = 0; i < shared; i++) {
    const order = compareValues(keysA[i] as Value, keysB[i] as Value) ||
      compareValues(a.get(keysA[i] as Value) as Value, b.get(keysB[i] as Value) as Value);
    if (order !== 0) return order;
  }
  return keysA.length - keysB.length;
}

/** Orders strings by their UTF-8 bytes, which is by code points; UTF-16 order differs above U+D7FF. */
export function compareStrings(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return fixSurrogate(x) - fixSurrogate(y);
  }
  return a.length - b.length;
}

function fixSurrogate(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Sorts `values` in place, in OPA's order. */
export function sortValues(values: Value[]): Value[] {
  return values.sort(compareValues);
}

/** Equal values, and only they, have equal texts. */
function canonicalText(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || value instanceof BigNumber) return String(numberKey(value));
  if (value === null || typeof value === "boolean") return String(value);
  if (isArray(value)) return "[" + value.map(canonicalText).join() + "]";
  return value.canonicalText();
}
