// SPDX-License-Identifier: Apache-2.0
/** yaml.unmarshal and yaml.is_valid: the first YAML document of a text, with the meaning go-yaml 3 gives it. */

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  parseAllDocuments,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { Buffer } from "node:buffer";
import { RegoLimitError } from "../limits.ts";
import { toDouble } from "../numbers.ts";
import { ObjectBuilder, RegoObject, type Value } from "../values.ts";
import {
  anyType,
  booleanType,
  type BuiltinContext,
  builtinError,
  family,
  type RegoBuiltinError,
  stringType,
} from "./builtin.ts";
import { formatFloat, SHORTEST } from "./go_float.ts";
import { chargeText, reserveElements, stringOperand, succeeds } from "./operands.ts";
import { fromBytes } from "./text.ts";
import { goYaml } from "./yaml_text.ts";
import { resolveScalar } from "./yaml_scalar.ts";

export const yaml = family(
  {
    name: "yaml.marshal",
    args: [anyType],
    result: stringType,
    call: (context, args) => goYaml(context, args[0] as Value),
  },
  {
    name: "yaml.unmarshal",
    args: [stringType],
    result: anyType,
    call: (context, args) => readYaml(context, stringOperand(args, 1)),
  },
  {
    name: "yaml.is_valid",
    args: [stringType],
    result: booleanType,
    call: (context, args) => succeeds(() => readYaml(context, stringOperand(args, 1))),
  },
);

/** What the YAML parser costs for a character, in the units of chargeText: some microseconds. */
const PARSE_COST = 512;

/** What YAML 1.1 does not let stand in a text (section 5.1), and go-yaml refuses. */
// deno-lint-ignore no-control-regex
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/;

/** Reads the first document; the others must parse. */
export function readYaml(context: BuiltinContext, given: string): Value {
  chargeText(context, given.length * PARSE_COST);
  if (FORBIDDEN.test(given)) throw builtinError("yaml: control characters are not allowed");
  // A line may end with NEL, too: the parser knows YAML 1.2 only.
  const text = given.replaceAll("\u0085", "\n");
  checkNesting(text, context.limits.maxNesting);
  // The parser is more lenient here than go-yaml: a tab is no indentation.
  if (/^[ \n\r]*\t/.test(text)) throw builtinError("yaml: found character that cannot start any token");
  if (!text.isWellFormed()) throw builtinError("yaml: invalid UTF-8");
  const documents = parseAllDocuments(text, { schema: "failsafe", uniqueKeys: false, logLevel: "silent" });
  if ("empty" in documents) {
    if (documents.errors.length > 0 || documents.warnings.some(isDirective)) throw unknownDirective();
    return null;
  }
  for (const document of documents) {
    const [error] = document.errors;
    if (document.warnings.some(isDirective)) throw unknownDirective();
    if (document.directives.yaml.explicit && document.directives.yaml.version !== "1.1") {
      throw builtinError("yaml: found incompatible YAML document");
    }
    if (error) throw builtinError(`yaml: ${error.message.split("\n")[0]?.replace(/:$/, "")}`);
  }
  const document = documents[0] as Document.Parsed;
  const { contents } = document;
  if (contents === null) return null;
  const shared = { context, document, text, aliased: new Map(), work: { steps: 0 } };
  return convert({ ...shared, room: context.limits.maxNesting }, contents);
}

/** go-yaml stops at a directive other than %YAML and %TAG; the parser only warns of it. */
function isDirective({ message }: { readonly message: string }): boolean {
  return message.startsWith("Unknown directive");
}

function unknownDirective(): RegoBuiltinError {
  return builtinError("yaml: found unknown directive name");
}

/** Refuses what would nest flow collections, or block ones by indentation, too deeply for a recursive parser. */
function checkNesting(text: string, maxNesting: number): void {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === 91 || unit === 123) deepest = Math.max(deepest, ++depth);
    else if ((unit === 93 || unit === 125) && depth > 0) depth--;
  }
  const dashes = /(?:[-?:][ \t]+){64,}/.exec(text)?.[0].length ?? 0;
  if (deepest > maxNesting || dashes / 2 > maxNesting) throw tooDeep(maxNesting);
}

function tooDeep(maxNesting: number): RegoLimitError {
  return new RegoLimitError("maxNesting", `Cannot read YAML: nested deeper than ${maxNesting}`);
}

interface Reading {
  readonly context: BuiltinContext;
  readonly document: Document.Parsed;
  readonly text: string;
  /** Levels that may still follow. */
  readonly room: number;
  /** The nodes that aliases stand for: undefined while one is being read, then its value and the steps it took. */
  readonly aliased: Map<unknown, { readonly value: Value; readonly steps: number } | undefined>;
  /** Steps charged so far. */
  readonly work: { steps: number };
}

function convert(reading: Reading, node: Node | ParsedNode | null | undefined): Value {
  if (reading.room <= 0) throw tooDeep(reading.context.limits.maxNesting);
  spend(reading, 1);
  const deeper = { ...reading, room: reading.room - 1 };
  if (isAlias(node)) return aliasValue(deeper, node);
  if (isSeq(node)) {
    reserveElements(reading.context, node.items.length);
    return node.items.map((item) => convert(deeper, item as Node | null));
  }
  if (isMap(node)) return convertMap(deeper, node);
  if (!isScalar(node)) return null;
  if (node.type === "QUOTE_DOUBLE" && node.range) checkEscapes(reading.text.slice(node.range[0], node.range[1]));
  return scalarValue(node);
}

/** go-yaml takes no halves of surrogate pairs. */
function checkEscapes(quoted: string): void {
  if (/(?:^|[^\\])(?:\\\\)*\\(?:u|U0000)[dD][89a-fA-F]/.test(quoted)) {
    throw builtinError("yaml: found invalid Unicode character escape code");
  }
}

function spend({ context, work }: Reading, steps: number): void {
  work.steps += steps;
  context.charge(steps);
}

/** The value is read once, and paid for at every use: it is as large wherever it is used. */
function aliasValue(reading: Reading, alias: Alias): Value {
  const target = alias.resolve(reading.document);
  if (target === undefined) throw builtinError(`yaml: unknown anchor '${alias.source}' referenced`);
  const known = reading.aliased.get(target);
  if (known !== undefined) {
    spend(reading, known.steps);
    return known.value;
  }
  if (reading.aliased.has(target)) throw builtinError(`yaml: anchor '${alias.source}' value contains itself`);
  reading.aliased.set(target, undefined);
  const before = reading.work.steps;
  const value = convert(reading, target as Node);
  reading.aliased.set(target, { value, steps: reading.work.steps - before });
  return value;
}

function convertMap(reading: Reading, map: YAMLMap): Value {
  reserveElements(reading.context, map.items.length);
  const builder = new ObjectBuilder();
  const merged: RegoObject[] = [];
  for (const { key, value } of map.items) {
    if (isScalar(key) && isPlain(key) && key.source === "<<") {
      merged.push(...mergeSources(reading, value as Node | null));
    } else builder.set(keyText(reading, key as Node | null), convert(reading, value as Node | null));
  }
  for (const source of merged) {
    for (const [key, value] of source.entries()) if (builder.get(key) === undefined) builder.set(key, value);
  }
  return builder.build();
}

function mergeSources(reading: Reading, node: Node | null): readonly RegoObject[] {
  const value = convert(reading, node);
  const sources = Array.isArray(value) ? value as readonly Value[] : [value];
  return sources.map((source) => {
    if (source instanceof RegoObject) return source;
    throw builtinError("yaml: map merge requires map or sequence of maps as the value");
  });
}

function isPlain(node: Scalar): boolean {
  return node.type === "PLAIN" && (node.tag === undefined || node.tag === "tag:yaml.org,2002:str");
}

/** Keys are strings, whole numbers, decimals or booleans; JSON has only strings. */
function keyText(reading: Reading, node: Node | null): string {
  const value = convert(reading, node);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (isScalar(node) && value !== null) {
    const resolved = resolveScalar(String(node.source ?? node.value));
    if (resolved.tag === "float") return formatFloat(Math.fround(toDouble(resolved.value)), "g", SHORTEST);
    if (resolved.tag === "int") return String(value);
  }
  throw builtinError("unsupported map key");
}

const TAG = "tag:yaml.org,2002:";

function scalarValue(node: Scalar): Value {
  const text = typeof node.value === "string" ? node.value : String(node.source ?? "");
  const tag = node.tag === undefined || node.tag === "!" ? undefined : node.tag.replace(/^!!/, TAG);
  const explicit = tag !== undefined && tag !== `${TAG}str` ? tag : undefined;
  if (node.type !== "PLAIN" && explicit === undefined) return text;
  if (tag === `${TAG}str` && isTagged(node)) return text;
  if (explicit === `${TAG}binary`) return fromBytes(Buffer.from(text.replace(/\s/g, ""), "base64"));
  if (explicit !== undefined && !explicit.startsWith(TAG)) return text;
  const resolved = resolveScalar(text);
  if (explicit !== undefined && explicit !== `${TAG}${resolved.tag}` && explicit !== `${TAG}timestamp`) {
    if (explicit === `${TAG}float` && resolved.tag === "int") return resolved.value;
    throw builtinError(`yaml: cannot decode !!${resolved.tag} as a !!${explicit.slice(TAG.length)}`);
  }
  switch (resolved.tag) {
    case "null":
      return null;
    case "bool":
    case "int":
    case "float":
      return resolved.value;
    case "special":
      throw builtinError(`json: unsupported value: ${text}`);
    default:
      return text;
  }
}

/** A tag that stands in the text; the parser's own schema gives every scalar the tag of strings. */
function isTagged(node: Scalar): boolean {
  return node.srcToken !== undefined || node.tag !== undefined;
}
