// SPDX-License-Identifier: Apache-2.0
/** Reads `# METADATA` comments and gives rules what rego.metadata.rule() and rego.metadata.chain() answer. */

import type { RegoLocation } from "./limits.ts";
import { RegoError } from "./limits.ts";
import type { ParsedModule } from "./parser.ts";
import { pathName } from "./rule_names.ts";
import type { Rule } from "./ast.ts";
import { isArray, ObjectBuilder, objectOf, RegoObject, type Value } from "./values.ts";

/** What the two functions answer inside a rule. */
export interface RuleMetadata {
  readonly rule: Value;
  readonly chain: Value;
}

/** One comment block. */
interface Annotation {
  readonly scope: string;
  readonly line: number;
  readonly value: RegoObject;
  readonly path: readonly Value[];
  /** The rule it stands before, for scope `rule`. */
  readonly rule: Rule | undefined;
}

/** Keys of a block that are handed on as they are. */
const PLAIN_KEYS = ["title", "description", "organizations", "custom", "schemas", "labels", "compile"];

const SCOPES = ["rule", "document", "package", "subpackages"];

export interface Metadata {
  of(module: ParsedModule, rule: Rule): RuleMetadata;
}

/**
 * Reads the comments of all modules; `readYaml` gives undefined for text that is not YAML.
 *
 * @throws {RegoError} rego_parse_error for a block that is wrong.
 */
export function readMetadata(
  modules: readonly ParsedModule[],
  readYaml: (text: string) => Value | undefined,
): Metadata {
  const annotations = modules.flatMap((module) => moduleAnnotations(module, readYaml));
  const at = (scope: string, path: readonly Value[]) =>
    annotations.filter((a) => a.scope === scope && pathName(a.path) === pathName(path));
  return {
    of(module, rule) {
      const path = rulePath(module, rule);
      const own = annotations.filter((a) => a.scope === "rule" && a.rule === rule).sort((a, b) => b.line - a.line);
      const entries: Value[] = own.map((a) => entry(a.path, a.value));
      if (own.length === 0) entries.push(entry(path));
      for (const a of at("document", path)) entries.push(entry(a.path, a.value));
      for (const a of at("package", module.package)) entries.push(entry(a.path, a.value));
      for (let length = module.package.length; length > 0; length--) {
        for (const a of at("subpackages", module.package.slice(0, length))) entries.push(entry(a.path, a.value));
      }
      return { rule: own[0]?.value ?? RegoObject.empty, chain: entries };
    },
  };
}

function entry(path: readonly Value[], annotations?: Value): Value {
  const pairs: [Value, Value][] = [["path", path]];
  if (annotations !== undefined) pairs.push(["annotations", annotations]);
  return objectOf(pairs);
}

function rulePath(module: ParsedModule, rule: Rule): Value[] {
  const path: Value[] = [...module.package, rule.head.name.name];
  for (const part of rule.head.path) {
    if (part.kind !== "scalar") break;
    path.push(part.value);
  }
  return path;
}

function moduleAnnotations(module: ParsedModule, readYaml: (text: string) => Value | undefined): Annotation[] {
  const { comments } = module;
  const result: Annotation[] = [];
  for (let i = 0; i < comments.length; i++) {
    const first = comments[i]!;
    if (!isHead(first)) continue;
    const lines: string[] = [];
    for (; i + 1 < comments.length; i++) {
      const next = comments[i + 1]!;
      if (next.column !== 1 || next.line !== comments[i]!.line + 1 || isHead(next)) break;
      lines.push(next.text);
    }
    const location = { file: module.file, line: first.line, column: first.column };
    result.push(annotation(module, readBlock(lines, location, readYaml), location, comments[i]!.line));
  }
  return result;
}

function isHead(comment: ParsedModule["comments"][number]): boolean {
  return comment.column === 1 && comment.text.trim().startsWith("METADATA");
}

function readBlock(
  lines: readonly string[],
  location: RegoLocation,
  readYaml: (text: string) => Value | undefined,
): RegoObject {
  // The space after # is no indentation.
  const text = lines.map((line) => line.replace(/^ /, "")).join("\n");
  const value = text.trim() === "" ? undefined : readYaml(text);
  if (value instanceof RegoObject) return value;
  throw wrong(text.trim() === "" ? "expected METADATA block, found whitespace" : "METADATA is not YAML", location);
}

function wrong(message: string, location: RegoLocation): RegoError {
  return new RegoError({ code: "rego_parse_error", message, location });
}

function annotation(module: ParsedModule, raw: RegoObject, location: RegoLocation, lastLine: number): Annotation {
  const rule = module.rules.find((candidate) => candidate.loc.line > lastLine);
  const isPackage = module.packageLoc.line > lastLine;
  const given = raw.get("scope");
  const scope = given ?? (isPackage ? "package" : "rule");
  if (typeof scope !== "string" || !SCOPES.includes(scope)) throw wrong("invalid METADATA scope", location);
  const wantsPackage = scope === "package" || scope === "subpackages";
  if (wantsPackage !== isPackage || (!isPackage && rule === undefined)) {
    throw wrong(`annotation scope '${scope}' must be applied to ${wantsPackage ? "package" : "rule"}`, location);
  }
  const path = isPackage || rule === undefined ? module.package : rulePath(module, rule);
  return { scope, line: location.line, value: cleaned(raw, scope, location), path, rule };
}

/** The block as rego.metadata shows it. */
function cleaned(raw: RegoObject, scope: string, location: RegoLocation): RegoObject {
  const builder = new ObjectBuilder();
  builder.set("scope", scope);
  if (raw.get("entrypoint") === true) builder.set("entrypoint", true);
  for (const key of PLAIN_KEYS) {
    const value = raw.get(key);
    if (value !== undefined && value !== null && value !== "") builder.set(key, value);
  }
  const authors = raw.get("authors");
  if (isArray(authors)) builder.set("authors", authors.map((author) => readAuthor(author, location)));
  const resources = raw.get("related_resources");
  if (isArray(resources)) builder.set("related_resources", resources.map((item) => readResource(item, location)));
  return builder.build();
}

function readAuthor(author: Value, location: RegoLocation): Value {
  let name: Value | undefined;
  let email: Value | undefined;
  if (typeof author === "string") {
    const match = /^(.*?)\s*(?:<(\S*)>)?$/.exec(author.trim());
    name = match?.[1]?.replace(/\s+/g, " ");
    email = match?.[2];
  } else if (author instanceof RegoObject) {
    name = author.get("name");
    email = author.get("email");
  }
  const pairs: [Value, Value][] = [];
  if (typeof name === "string" && name.trim() !== "") pairs.push(["name", name.trim()]);
  if (typeof email === "string" && email.trim() !== "") pairs.push(["email", email.trim()]);
  if (pairs.length === 0) throw wrong("invalid author definition in METADATA", location);
  return objectOf(pairs);
}

function readResource(item: Value, location: RegoLocation): Value {
  const ref = item instanceof RegoObject ? item.get("ref") : item;
  const description = item instanceof RegoObject ? item.get("description") : undefined;
  if (typeof ref !== "string" || ref.trim() === "") throw wrong("invalid related-resource in METADATA", location);
  const pairs: [Value, Value][] = [["ref", ref.trim()]];
  if (typeof description === "string" && description.trim() !== "") pairs.push(["description", description.trim()]);
  return objectOf(pairs);
}
