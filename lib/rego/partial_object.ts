// SPDX-License-Identifier: Apache-2.0
/** Collects what partial rules give: values and sets at paths, which must not contradict each other. */

import type { RegoLocation } from "./limits.ts";
import { conflict } from "./runtime.ts";
import {
  equalValues,
  type Key,
  keyOf,
  ObjectBuilder,
  type RegoObject,
  type RegoSet,
  SetBuilder,
  type Value,
} from "./values.ts";

type Entry =
  | { readonly kind: "tree"; readonly tree: PartialTree }
  | { readonly kind: "set"; readonly set: SetBuilder }
  | { readonly kind: "value"; readonly value: Value };

export interface PartialTree {
  /** Members of this tree and of all sets and trees in it. */
  readonly size: number;
  /** Puts `value` at `path`. @throws {RegoError} eval_conflict_error when something else is there. */
  put(path: readonly Value[], value: Value, location?: RegoLocation): void;
  /** Adds `member` to the set at `path`. @throws {RegoError} eval_conflict_error when no set is there. */
  add(path: readonly Value[], member: Value, location?: RegoLocation): void;
  /** Adds all of `members` to the set at `key`, which there is then even if they are none. */
  addAll(key: Value, members: RegoSet, location?: RegoLocation): void;
  /** The tree at `key`, made if need be. @throws {RegoError} eval_conflict_error when a value is there. */
  at(key: Value, location?: RegoLocation): PartialTree;
  build(): RegoObject;
}

export function createPartialTree(): PartialTree {
  return createTree({ size: 0 });
}

/** Trees in trees count together. */
function createTree(total: { size: number }): PartialTree {
  const entries = new Map<Key, { readonly key: Value; readonly entry: Entry }>();

  function clash(location: RegoLocation | undefined): never {
    throw conflict("object keys must be unique", location);
  }

  function setAt(key: Value, location: RegoLocation | undefined): SetBuilder {
    const known = entries.get(keyOf(key))?.entry;
    if (known?.kind === "set") return known.set;
    if (known !== undefined) clash(location);
    const set = new SetBuilder();
    entries.set(keyOf(key), { key, entry: { kind: "set", set } });
    return set;
  }

  function addTo(set: SetBuilder, member: Value): void {
    const before = set.size;
    set.add(member);
    total.size += set.size - before;
  }

  const tree: PartialTree = {
    get size() {
      return total.size;
    },
    put(path, value, location) {
      const [key, ...rest] = path as [Value, ...Value[]];
      if (rest.length > 0) return tree.at(key, location).put(rest, value, location);
      const known = entries.get(keyOf(key))?.entry;
      if (known === undefined) {
        entries.set(keyOf(key), { key, entry: { kind: "value", value } });
        total.size++;
      } else if (known.kind !== "value" || !equalValues(known.value, value)) clash(location);
    },
    add(path, member, location) {
      const [key, ...rest] = path as [Value, ...Value[]];
      if (rest.length > 0) return tree.at(key, location).add(rest, member, location);
      addTo(setAt(key, location), member);
    },
    addAll(key, members, location) {
      const set = setAt(key, location);
      for (const member of members.values()) addTo(set, member);
    },
    at(key, location) {
      const known = entries.get(keyOf(key))?.entry;
      if (known?.kind === "tree") return known.tree;
      if (known !== undefined) clash(location);
      const inner = createTree(total);
      entries.set(keyOf(key), { key, entry: { kind: "tree", tree: inner } });
      return inner;
    },
    build() {
      const builder = new ObjectBuilder();
      for (const { key, entry } of entries.values()) {
        // As OPA: a path that only leads to rules without solutions is not there.
        if (entry.kind === "value") builder.set(key, entry.value);
        else if (entry.kind === "set" && entry.set.size > 0) builder.set(key, entry.set.build());
        else if (entry.kind === "tree") {
          const inner = entry.tree.build();
          if (inner.size > 0) builder.set(key, inner);
        }
      }
      return builder.build();
    },
  };
  return tree;
}
