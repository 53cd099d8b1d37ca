// SPDX-License-Identifier: Apache-2.0
/** Writes and reads a pod VM's user data: a cloud-config that only has files to write. */

import { Buffer } from "node:buffer";
import * as v from "valibot";
import { parseDocument, stringify } from "yaml";
import { PeerctlError } from "../errors.ts";
import { type ApfConfig, encodeApfConfig } from "./apf_config.ts";

/** Longest user data written or read, in bytes: clouds take 16 to 64 KiB, some of them after base64; a file may be longer. */
const MAX_USER_DATA_BYTES = 1024 * 1024;

const HEADER = "#cloud-config\n";

/** Where the guest's own programs look; user data may write nothing else. */
const DIRECTORY = "/run/peerpod";
const ALLOWED_PATHS: ReadonlySet<string> = new Set(
  ["aa.toml", "cdh.toml", "apf.json", "auth.json", "initdata", "scratch-space.marker"].map((name) =>
    `${DIRECTORY}/${name}`
  ),
);

/** What YAML 1.1 or 1.2 readers do not take as it is, even in quotes; the writer leaves some of it unescaped. */
const NOT_PRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

export interface UserDataOptions {
  readonly apfConfig: ApfConfig;
  /** Registry credentials, as in a docker config.json. */
  readonly authJson?: string;
  /** Base64 of gzipped TOML, see initdata.ts. */
  readonly initdata?: string;
  /** Have the VM set up an encrypted scratch disk. */
  readonly scratchSpace?: boolean;
}

export interface UserDataFile {
  readonly path: string;
  readonly content: string;
}

/**
 * Writes the user data. Every content comes back byte for byte from any YAML reader, whatever is in it.
 *
 * It holds a private key: never log it.
 *
 * @throws {PeerctlError} kind "config" when a content is no Unicode text; kind "limit" when it is too long as a whole:
 * nothing is left out to make it fit.
 */
export function buildUserData(options: UserDataOptions): string {
  const files: UserDataFile[] = [{ path: `${DIRECTORY}/apf.json`, content: encodeApfConfig(options.apfConfig) }];
  if (options.authJson !== undefined) files.push({ path: `${DIRECTORY}/auth.json`, content: options.authJson });
  if (options.initdata !== undefined) files.push({ path: `${DIRECTORY}/initdata`, content: options.initdata });
  if (options.scratchSpace) files.push({ path: `${DIRECTORY}/scratch-space.marker`, content: "" });
  const text = encodeCloudConfig(files);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_USER_DATA_BYTES) {
    const sizes = files.map(({ path, content }) => `${path} ${Buffer.byteLength(content)}`).join(", ");
    throw new PeerctlError("limit", `Cannot build user data: ${bytes} bytes, limit ${MAX_USER_DATA_BYTES} (${sizes})`);
  }
  return text;
}

/** `path` and `content` are all that a strict reader in a guest knows of an entry. */
export function encodeCloudConfig(files: readonly UserDataFile[]): string {
  for (const { path, content } of files) {
    if (!content.isWellFormed()) {
      throw new PeerctlError("config", `Cannot write user data: "${path}" is no Unicode text`);
    }
  }
  // Always in double quotes and on one line: block scalars cannot hold every text, and folding depends on the reader.
  const yaml = stringify({ write_files: files.map(({ path, content }) => ({ path, content })) }, {
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    lineWidth: 0,
    doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
  });
  return HEADER + yaml.replace(NOT_PRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const fileSchema = v.strictObject({ path: v.string(), content: v.nullish(v.string(), "") });
const schema = v.strictObject({ write_files: v.array(fileSchema) });

/**
 * Reads user data: a cloud-config with `write_files` and nothing else, each with `path` and `content` and nothing else.
 *
 * @throws {PeerctlError} kind "limit" when too long; kind "config" for anything that is not such a document, names a
 * path that user data may not write, or names one twice. Contents are never quoted.
 */
export function parseUserData(text: string): UserDataFile[] {
  if (Buffer.byteLength(text) > MAX_USER_DATA_BYTES) {
    throw new PeerctlError("limit", `Cannot read user data: longer than ${MAX_USER_DATA_BYTES} bytes`);
  }
  if (!/^#cloud-config[ \t]*\r?\n/.test(text)) throw cannotRead('its first line is not "#cloud-config"');
  const result = v.safeParse(schema, parseYaml(text), { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const where = v.getDotPath(issue) ?? "the document";
    throw cannotRead(issue.expected === "never" ? `${where} is not known` : `${where} should be ${issue.expected}`);
  }
  const seen = new Set<string>();
  for (const { path } of result.output.write_files) {
    if (!ALLOWED_PATHS.has(path)) throw cannotRead(`it may not write ${JSON.stringify(path)}`);
    if (seen.has(path)) throw cannotRead(`it writes "${path}" twice`);
    seen.add(path);
  }
  return result.output.write_files;
}

function parseYaml(text: string): unknown {
  const document = attempt(
    "it is nested too deeply",
    () => parseDocument(text, { prettyErrors: false, uniqueKeys: true }),
  );
  const [error] = document.errors;
  if (error !== undefined) {
    const line = text.slice(0, error.pos[0]).split("\n").length;
    throw cannotRead(`it is not YAML at line ${line} (${error.code})`);
  }
  // Aliases are refused: a few lines of them make gigabytes.
  return attempt("it uses aliases or is nested too deeply", () => document.toJS({ maxAliasCount: 0 }));
}

function attempt<T>(otherwise: string, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw cannotRead(otherwise, cause);
  }
}

function cannotRead(why: string, cause?: unknown): PeerctlError {
  return new PeerctlError("config", `Cannot read user data: ${why}`, cause === undefined ? {} : { cause });
}
