// SPDX-License-Identifier: Apache-2.0
/** Reads policies and data from files and folders, laid out as `opa eval -d` takes them. */

import { basename, join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { mergeDocuments, parseDocument } from "./documents.ts";
import type { RegoModule } from "./policy.ts";
import { objectOf, RegoObject, type Value } from "./values.ts";

/** Largest file read, in bytes: policy data of a big cluster stays far below. */
const MAX_FILE_BYTES = 64 << 20;

/** Deepest folder below a given one: far more than a person nests, and an end to a folder linked into itself. */
const MAX_FOLDER_DEPTH = 32;

/** Files of these endings are read; in a folder all others are passed over. */
const KNOWN_FILE = /\.(rego|json|ya?ml)$/;

export interface PolicyFiles {
  readonly modules: readonly RegoModule[];
  readonly data: RegoObject;
}

/**
 * Reads every path. A file with data becomes part of `data` itself; below a given folder the names of the folders in
 * between say where: `users/admins/list.json` becomes `data.users.admins`.
 *
 * @throws {PeerctlError} kind "config" when a file cannot be read, is neither policy nor document, or two documents
 * give the same place.
 */
export function loadPolicyFiles(paths: readonly string[]): PolicyFiles {
  const modules = new Map<string, RegoModule>();
  let data = RegoObject.empty;
  const seen = new Set<string>();
  const add = (path: string, place: readonly string[]) => {
    // A file given twice, by name and in its folder, is one file.
    const key = [...place, path].join("\0");
    if (seen.has(key)) return;
    seen.add(key);
    const text = readPolicyFile(path);
    if (path.endsWith(".rego")) modules.set(path, { path, text });
    else data = mergeDocuments(data, placed(parseDocument(path, text), place, path), path);
  };
  for (const path of paths) walk(normalised(path), [], 0, add);
  return { modules: [...modules.values()], data };
}

/** Reads one text file. */
export function readPolicyFile(path: string): string {
  try {
    const { size, isDirectory } = Deno.statSync(path);
    if (isDirectory) throw new PeerctlError("config", "it is a folder");
    if (size > MAX_FILE_BYTES) throw new PeerctlError("limit", `it has ${size} bytes, limit ${MAX_FILE_BYTES}`);
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (cause) {
    throw new PeerctlError("config", `Cannot read "${path}"`, { cause });
  }
}

function walk(
  path: string,
  place: readonly string[],
  depth: number,
  add: (path: string, place: readonly string[]) => void,
): void {
  if (!isFolder(path)) {
    if (KNOWN_FILE.test(path)) return add(path, place);
    if (depth > 0) return;
    throw new PeerctlError("config", `Cannot load "${path}": it ends in none of .rego, .json, .yaml, .yml`);
  }
  if (depth > MAX_FOLDER_DEPTH) {
    throw new PeerctlError("limit", `Cannot load "${path}": more than ${MAX_FOLDER_DEPTH} folders in each other`);
  }
  const below = depth === 0 ? place : [...place, basename(path)];
  const names = [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
  for (const name of names) walk(join(path, name), below, depth + 1, add);
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (cause) {
    throw new PeerctlError("config", `Cannot read "${path}"`, { cause });
  }
}

/** The path as it was given, but for what would make one file look like two. */
function normalised(path: string): string {
  return path === "" ? path : join(path);
}

function placed(document: Value, place: readonly string[], path: string): RegoObject {
  const whole = place.reduceRight<Value>((value, name) => objectOf([[name, value]]), document);
  if (whole instanceof RegoObject) return whole;
  throw new PeerctlError("config", `Cannot load "${path}": a document of data must be an object`);
}
