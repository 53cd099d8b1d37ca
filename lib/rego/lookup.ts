// SPDX-License-Identifier: Apache-2.0
/** Looks into values: one member by key, or every member in order. */

import { BigNumber, formatNumber, int64Of, isNumber } from "./numbers.ts";
import type { Cont, Eval, Frame, Match } from "./runtime.ts";
import { isArray, RegoObject, RegoSet, type Value } from "./values.ts";

/** `value[key]`; undefined when there is no such member. A set gives the member itself. */
export function member(value: Value | undefined, key: Value): Value | undefined {
  if (value instanceof RegoObject) return value.get(key);
  if (isArray(value)) return elementAt(value, key);
  return value instanceof RegoSet ? value.get(key) : undefined;
}

/** The element of an array; as in OPA the text of the key decides: 1 and 1.0 are an index, 1e0 is none. */
export function elementAt(values: readonly Value[], key: Value): Value | undefined {
  if (typeof key === "number") return values[key];
  const index = key instanceof BigNumber ? int64Of(key) : undefined;
  return index === undefined ? undefined : values[Number(index)];
}

/** A way to look a key up in a value. */
export type Look = (value: Value | undefined, key: Value) => Value | undefined;

const INDEX = /^(?:0|[1-9][0-9]*)$/;

/** As member(), for base documents: OPA reads them by text, so 2 and "2" are one key there. */
export function baseMember(value: Value | undefined, key: Value): Value | undefined {
  const found = member(value, key);
  if (found !== undefined) return found;
  if (value instanceof RegoObject && isNumber(key)) return value.get(formatNumber(key));
  return isArray(value) && typeof key === "string" && INDEX.test(key) ? value[Number(key)] : undefined;
}

/** One step of a path: a known key, or a pattern for every key. */
export type Element = { readonly key: Eval; readonly match?: undefined } | {
  readonly key?: undefined;
  readonly match: Match;
};

/** Gives `then` every value that the path from `index` on leads to. */
export function walkPath(
  frame: Frame,
  value: Value | undefined,
  path: readonly Element[],
  index: number,
  then: Cont,
  look: Look = member,
): boolean {
  let current = value;
  let i = index;
  for (; i < path.length; i++) {
    if (current === undefined) return false;
    const element = path[i] as Element;
    if (element.match) return walkMembers(frame, current, element.match, path, i + 1, then, look);
    const key = element.key(frame);
    if (key === undefined) return false;
    current = look(current, key);
  }
  return current === undefined ? false : then(frame, current);
}

function walkMembers(
  frame: Frame,
  value: Value,
  match: Match,
  path: readonly Element[],
  next: number,
  then: Cont,
  look: Look,
): boolean {
  const { evaluation } = frame;
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (--evaluation.fuel < 0) evaluation.refuel();
      if (match(frame, i) && walkPath(frame, value[i], path, next, then, look)) return true;
    }
    return false;
  }
  if (value instanceof RegoObject) {
    for (const key of value.keys()) {
      if (--evaluation.fuel < 0) evaluation.refuel();
      if (match(frame, key) && walkPath(frame, value.get(key), path, next, then, look)) return true;
    }
    return false;
  }
  if (value instanceof RegoSet) {
    for (const item of value.values()) {
      if (--evaluation.fuel < 0) evaluation.refuel();
      if (match(frame, item) && walkPath(frame, item, path, next, then, look)) return true;
    }
  }
  return false;
}

/** Gives `[path, value]` for `root` and everything in it, in the order of walk(). */
export function walkTree(
  frame: Frame,
  root: Value,
  then: (path: readonly Value[], value: Value) => boolean,
): boolean {
  const { evaluation } = frame;
  const visit = (path: readonly Value[], value: Value): boolean => {
    evaluation.charge(1 + path.length);
    if (then(path, value)) return true;
    evaluation.enter();
    let stop = false;
    if (isArray(value)) stop = value.some((item, i) => visit([...path, i], item));
    else if (value instanceof RegoSet) stop = value.values().some((item) => visit([...path, item], item));
    else if (value instanceof RegoObject) {
      stop = value.keys().some((key) => visit([...path, key], value.get(key) as Value));
    }
    evaluation.depth--;
    return stop;
  };
  return visit([], root);
}
