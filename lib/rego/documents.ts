// SPDX-License-Identifier: Apache-2.0
/** Reads JSON and YAML documents as Rego values, without rounding a number, and joins them into one `data`. */

import { parse, type ScalarTag } from "yaml";
import { PeerctlError } from "../errors.ts";
import { fromJson, parseJson } from "./json.ts";
import { BigNumber, parseNumber } from "./numbers.ts";
import { ObjectBuilder, RegoObject, type Value } from "./values.ts";

/** Uses of one YAML anchor: enough for a person's document, too few to blow a small one up. */
const MAX_YAML_ALIASES = 100;

/**
 * Reads `text` as JSON or, when `path` ends in .yaml or .yml, as YAML 1.2.
 *
 * @throws {PeerctlError} kind "config" when it is neither.
 */
export function parseDocument(path: string, text: string): Value {
  try {
    return /\.ya?ml$/i.test(path) ? parseYaml(text) : parseJson(text);
  } catch (cause) {
    if (cause instanceof PeerctlError) throw cause;
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new PeerctlError("config", `Cannot read "${path}": ${why}`, { cause });
  }
}

/** Nothing at all is null, as in YAML itself. */
function parseYaml(text: string): Value {
  const plain: unknown = parse(text, {
    merge: true,
    maxAliasCount: MAX_YAML_ALIASES,
    strict: true,
    stringKeys: false,
    prettyErrors: true,
    logLevel: "error",
    customTags: (tags) => tags.map((tag) => isNumberTag(tag) ? exact(tag) : tag),
  });
  return fromJson(plain ?? null);
}

function isNumberTag(tag: unknown): tag is ScalarTag {
  const name = (tag as Partial<ScalarTag> | null)?.tag;
  return name === "tag:yaml.org,2002:int" || name === "tag:yaml.org,2002:float";
}

/** Keeps the digits of a number that is written as in JSON; others (0x1F, 1_000, .5) are read as YAML has them. */
function exact(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    resolve(text, onError, options) {
      const number = parseNumber(text);
      return number instanceof BigNumber ? number : tag.resolve(text, onError, options);
    },
  };
}

/**
 * Joins `other` into `base`: objects are joined member by member.
 *
 * @throws {PeerctlError} kind "config" when both give a value for the same place; `source` names where `other` is from.
 */
export function mergeDocuments(base: RegoObject, other: RegoObject, source: string): RegoObject {
  return mergeBelow(base, other, source, "data");
}

function mergeBelow(base: RegoObject, other: RegoObject, source: string, place: string): RegoObject {
  const merged = new ObjectBuilder(base);
  for (const [key, value] of other.entries()) {
    const present = merged.get(key);
    const here = `${place}[${JSON.stringify(key)}]`;
    if (present === undefined) merged.set(key, value);
    else if (present instanceof RegoObject && value instanceof RegoObject) {
      merged.set(key, mergeBelow(present, value, source, here));
    } else throw new PeerctlError("config", `Cannot load "${source}": another document gives ${here}, too`);
  }
  return merged.build();
}
