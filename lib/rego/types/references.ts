// SPDX-License-Identifier: Apache-2.0
/** Checks that a reference can lead somewhere, and gives the variables in it the types of what they run over. */

import type { RefTerm, Term } from "../ast.ts";
import { anyType, type Type } from "../builtins/builtin.ts";
import { constantOf } from "../codegen.ts";
import { isGenerated, writtenName } from "../compile_context.ts";
import { formatJson } from "../json.ts";
import type { RegoLocation } from "../limits.ts";
import { isRoot, rootOf } from "../term_walk.ts";
import { keyOf } from "../values.ts";
import { keysText, pluralText, typeText } from "./describe.ts";
import { extentOf, lookUp, type TypeNode } from "./documents.ts";
import type { Environment } from "./environment.ts";
import { expectType, typeOf } from "./infer.ts";

/** Why something cannot be, and where. */
export interface Problem {
  readonly message: string;
  readonly loc: RegoLocation;
}

/** The first thing wrong with a reference. */
export function checkReference(env: Environment, ref: RefTerm): Problem | undefined {
  const root = rootOf(ref);
  if (root === undefined) return checkLocal(env, ref);
  if (lookUp(env.lattice, env.documents, root, ref.path).signature) {
    return { message: `${refText(ref)} is a function: it can be called, but it is not a value`, loc: ref.loc };
  }
  let isKnown = false;
  for (let layer: Environment["documents"] | undefined = env.documents; layer; layer = layer.below) {
    const node = layer.roots.get(root);
    if (node === undefined) continue;
    isKnown = true;
    const end = walkNodes(env, ref, node);
    if (end === "unknown") continue;
    return end;
  }
  if (!isKnown) return checkRest(env, ref, anyType, 0);
  // No rule is there, but a document may be.
  for (const part of ref.path) learn(env, part, anyType);
  return undefined;
}

function checkLocal(env: Environment, ref: RefTerm): Problem | undefined {
  if (ref.head.kind !== "var") return undefined;
  const { name } = ref.head;
  if (!env.scope.has(name)) env.scope.set(name, anyType);
  return checkRest(env, ref, env.scope.get(name) ?? anyType, 0);
}

/** Follows the reference from rule to rule; "unknown" where this layer knows no further. */
function walkNodes(env: Environment, ref: RefTerm, start: TypeNode): Problem | undefined | "unknown" {
  let node = start;
  for (const [i, part] of ref.path.entries()) {
    if (part.kind === "var") {
      const keys = env.lattice.keys(extentOf(node));
      // One that cannot be a rule's name is not refused: OPA does so only if it happens to have seen these rules before.
      learn(env, part, keys);
    }
    const key = constantOf(part);
    const child = key === undefined ? undefined : node.children.get(keyOf(key));
    if (child === undefined) return "unknown";
    node = child;
    if (node.type) return checkRest(env, ref, node.type, i + 1);
    if (node.signature) return notACollection(ref, i + 1, "a function");
  }
  return undefined;
}

/** Checks the path from `index` on, `type` being that of what stands before it. */
function checkRest(env: Environment, ref: RefTerm, type: Type | undefined, index: number): Problem | undefined {
  const part = ref.path[index];
  if (part === undefined) return undefined;
  if (isEmpty(type)) return { message: `${refText(ref, index)} is empty: it has no ${partText(part)}`, loc: part.loc };
  const keys = env.lattice.keys(type);
  if (keys === undefined) return notACollection(ref, index, typeText(type));
  let inner: Type | undefined;
  switch (part.kind) {
    case "scalar":
      inner = env.lattice.select(type, part.value);
      if (inner === undefined) return noMember(ref, index, type);
      break;
    case "var": {
      const known = env.scope.get(part.name);
      if (!known) env.scope.set(part.name, keys);
      else if (!env.lattice.mayEqual(known, keys)) return wrongKey(ref, index, keys, known);
      inner = env.lattice.values(type);
      break;
    }
    default:
      if (!expectType(env, part, keys)) return wrongKey(ref, index, keys, typeOf(env, part));
      inner = env.lattice.values(type);
  }
  return checkRest(env, ref, inner, index + 1);
}

/** Gives variables that have no type yet this one. */
function learn(env: Environment, part: Term, type: Type | undefined): void {
  if (part.kind === "var" && !env.scope.get(part.name)) env.scope.set(part.name, type);
}

function isEmpty(type: Type | undefined): boolean {
  switch (type?.kind) {
    case "array":
      return type.items.length === 0 && type.rest === undefined;
    case "set":
      return type.of === undefined;
    case "object":
      return type.members.size === 0 && type.rest === undefined;
    default:
      return false;
  }
}

function notACollection(ref: RefTerm, index: number, what: string): Problem {
  const part = ref.path[index] as Term;
  return { message: `${refText(ref, index)} is ${what}: it has no ${partText(part)}`, loc: part.loc };
}

function noMember(ref: RefTerm, index: number, type: Type | undefined): Problem {
  const part = ref.path[index] as Term;
  const known = keysText(type);
  const instead = known === "" ? `: it is ${typeText(type)}` : `, only ${known}`;
  return { message: `${refText(ref, index)} has no ${partText(part)}${instead}`, loc: part.loc };
}

function wrongKey(ref: RefTerm, index: number, keys: Type | undefined, have?: Type): Problem {
  const part = ref.path[index] as Term;
  const what = have && part.kind === "var" && !isGenerated(part.name) ? `${writtenName(part.name)} is` : "this is";
  const message = `${refText(ref, index)} has keys that are ${pluralText(keys)}, but ${what} ${typeText(have)}`;
  return { message, loc: part.loc };
}

/** The reference up to the part at `end`, as it was written. */
function refText({ head, path }: RefTerm, end: number = path.length): string {
  const name = head.kind !== "var" || isGenerated(head.name) ? "this value" : headText(head.name);
  return name + path.slice(0, end).map((part) => {
    if (part.kind === "scalar" && typeof part.value === "string" && /^[A-Za-z_]\w*$/.test(part.value)) {
      return `.${part.value}`;
    }
    return `[${part.kind === "scalar" || part.kind === "var" ? bareText(part) : "…"}]`;
  }).join("");
}

function headText(name: string): string {
  return isRoot(name) ? name : writtenName(name);
}

function bareText(part: Term): string {
  if (part.kind === "scalar") return formatJson(part.value);
  return part.kind === "var" && !isGenerated(part.name) ? writtenName(part.name) : "…";
}

/** What is looked for, for people. */
function partText(part: Term): string {
  if (part.kind === "scalar") return `member ${formatJson(part.value)}`;
  return part.kind === "var" && !isGenerated(part.name) && writtenName(part.name) !== "_"
    ? `member [${writtenName(part.name)}]`
    : "members";
}
