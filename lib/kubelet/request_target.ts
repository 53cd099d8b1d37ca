// SPDX-License-Identifier: Apache-2.0
/** Reads a request's target into the one path and query that every router must see in it, or refuses it. */

import { Refusal } from "./refusal.ts";

/** Most query parameters of one request: an exec has one per word of its command. */
const MAX_PARAMETERS = 10_000;

/** What may stand in a target as it is: RFC 3986 section 3.3 and 3.4, and what clients leave unescaped beside it. */
const TARGET_CHARACTERS = /^[\x21-\x7e]*$/;

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// deno-lint-ignore no-control-regex -- control characters are what it looks for.
const CONTROL_CHARACTER = /[\x00-\x1f\x7f]/;

export interface RequestTarget {
  /** Percent-decoded once. */
  readonly path: string;
  /** As it came. */
  readonly rawPath: string;
  /** The decoded segments, without an empty one for a slash at the end. */
  readonly segments: readonly string[];
  readonly endsWithSlash: boolean;
  /** Values by name, in the order they came. */
  readonly query: ReadonlyMap<string, readonly string[]>;
}

/**
 * Takes a target apart. Go's routers decode, clean and split paths each in its own way, so everything they could
 * read differently is refused: what is left has one meaning.
 *
 * @throws {Refusal} 400.
 */
export function parseRequestTarget(target: string): RequestTarget {
  if (!target.startsWith("/")) throw new Refusal(400, "the request target must begin with a slash");
  if (!TARGET_CHARACTERS.test(target)) throw new Refusal(400, "the request target has characters that must be escaped");
  if (target.includes("#")) throw new Refusal(400, "the request target has a fragment");
  const mark = target.indexOf("?");
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const { path, segments } = readPath(rawPath);
  return {
    path,
    rawPath,
    segments,
    endsWithSlash: rawPath.length > 1 && rawPath.endsWith("/"),
    query: mark < 0 ? NO_QUERY : readQuery(target.slice(mark + 1)),
  };
}

const NO_QUERY: ReadonlyMap<string, readonly string[]> = new Map();

function readPath(rawPath: string): { path: string; segments: string[] } {
  if (rawPath.includes("\\")) throw new Refusal(400, "the path has a backslash");
  const segments: string[] = [];
  const raw = rawPath.slice(1).split("/");
  const last = raw.length - 1;
  for (const [i, part] of raw.entries()) {
    if (part === "") {
      if (i !== last) throw new Refusal(400, "the path has an empty segment");
      continue;
    }
    const segment = part.includes("%") ? decodePercent(part, "path") : part;
    if (segment === "." || segment === "..") throw new Refusal(400, "the path has a dot segment");
    if (segment.includes("/")) throw new Refusal(400, "the path has an encoded slash");
    if (segment.includes("\\")) throw new Refusal(400, "the path has a backslash");
    if (CONTROL_CHARACTER.test(segment)) throw new Refusal(400, "the path has a control character");
    segments.push(segment);
  }
  const end = raw[last] === "" && segments.length > 0 ? "/" : "";
  return { path: `/${segments.join("/")}${end}`, segments };
}

/** As Go's url.ParseQuery reads it, but what that passes over in silence is refused: the policy must see all of it. */
function readQuery(text: string): Map<string, string[]> {
  const query = new Map<string, string[]>();
  if (text.includes(";")) throw new Refusal(400, "the query has a semicolon that is not escaped");
  const parts = text.split("&", MAX_PARAMETERS + 1);
  if (parts.length > MAX_PARAMETERS) throw new Refusal(400, "the query has too many parameters");
  for (const part of parts) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = decodeParameter(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? "" : decodeParameter(part.slice(equals + 1));
    const values = query.get(name);
    if (values === undefined) query.set(name, [value]);
    else values.push(value);
  }
  return query;
}

function decodeParameter(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  return spaced.includes("%") ? decodePercent(spaced, "query") : spaced;
}

function decodePercent(text: string, what: string): string {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== 0x25) {
      bytes[length++] = code;
      continue;
    }
    const digits = text.slice(i + 1, i + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw new Refusal(400, `the ${what} has a percent sign that escapes nothing`);
    bytes[length++] = parseInt(digits, 16);
    i += 2;
  }
  try {
    return STRICT_UTF8.decode(bytes.subarray(0, length));
  } catch {
    throw new Refusal(400, `the ${what} is not UTF-8`);
  }
}
