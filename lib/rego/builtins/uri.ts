// SPDX-License-Identifier: Apache-2.0
/** uri.parse and uri.is_valid: the parts of a URI reference as Go's net/url finds them (RFC 3986, a little laxer). */

import { ObjectBuilder, type Value } from "../values.ts";
import { booleanType, builtinError, family, objectType, RegoBuiltinError, stringType } from "./builtin.ts";
import { parseIp } from "./ip_address.ts";
import { chargeText, stringOperand, succeeds } from "./operands.ts";
import { quote, toBytes } from "./text.ts";
import { unescapePercent } from "./urlquery.ts";

/** What reading a URI costs for a character, in the units of chargeText. */
const PARSE_COST = 1024;

export const uris = family(
  {
    name: "uri.parse",
    args: [stringType],
    result: objectType(stringType, stringType),
    call(context, args) {
      const text = stringOperand(args, 1);
      chargeText(context, text.length * PARSE_COST);
      const builder = new ObjectBuilder();
      for (const [name, part] of Object.entries(parseUri(text))) if (part !== "") builder.set(name, part);
      return builder.build();
    },
  },
  {
    name: "uri.is_valid",
    args: [stringType],
    result: booleanType,
    call(context, args) {
      const text = args[0] as Value;
      if (typeof text !== "string" || text === "") return false;
      chargeText(context, text.length * PARSE_COST);
      return succeeds(() => parseUri(text));
    },
  },
);

type UriParts = Partial<
  Record<"scheme" | "hostname" | "port" | "path" | "raw_path" | "raw_query" | "fragment", string>
>;

function cut(text: string, mark: string): [before: string, after: string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** @throws {RegoBuiltinError} that names the text and what is wrong with it. */
function parseUri(text: string): UriParts {
  try {
    return uriParts(text, builtinError);
  } catch (error) {
    if (!(error instanceof RegoBuiltinError)) throw error;
    throw builtinError(`parse ${quote(text.slice(0, 200))}: ${error.message}`);
  }
}

function uriParts(text: string, fail: (why: string) => RegoBuiltinError): UriParts {
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text)) throw fail("net/url: invalid control character in URL");
  const [main, fragment = ""] = cut(text, "#");
  const parts: UriParts = { fragment: unescapePercent(fragment) };
  let rest = main;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(rest)?.[1];
  if (rest.startsWith(":")) throw fail("missing protocol scheme");
  if (scheme !== undefined) {
    parts.scheme = scheme.toLowerCase();
    rest = rest.slice(scheme.length + 1);
  }
  const [beforeQuery, query = ""] = cut(rest, "?");
  parts.raw_query = query;
  rest = beforeQuery;
  if (!rest.startsWith("/")) {
    // What follows a scheme without a slash is opaque (mailto:…), and none of the parts.
    if (scheme !== undefined && rest !== "") return parts;
    if (cut(rest, "/")[0].includes(":")) throw fail("first path segment in URL cannot contain colon");
  } else if (rest.startsWith("//") && (scheme !== undefined || !rest.startsWith("///"))) {
    const slash = rest.indexOf("/", 2);
    const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
    rest = slash < 0 ? "" : rest.slice(slash);
    Object.assign(parts, parseAuthority(authority, fail));
  }
  parts.path = unescapePercent(rest);
  parts.raw_path = escapePath(parts.path) === rest ? parts.path : rest;
  return parts;
}

function parseAuthority(authority: string, fail: (why: string) => RegoBuiltinError): UriParts {
  const at = authority.lastIndexOf("@");
  if (at >= 0) {
    const user = authority.slice(0, at);
    if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) throw fail("net/url: invalid userinfo");
    unescapePercent(user);
  }
  const host = authority.slice(at + 1);
  if (host.startsWith("[")) {
    const end = host.lastIndexOf("]");
    if (end < 0) throw fail("missing ']' in host");
    const port = portOf(host.slice(end + 1), fail);
    const [address, zone] = cut(host.slice(1, end).replace("%25", "%"), "%");
    if (parseIp(address)?.bits !== 128 && !(address.includes(":") && parseIp(address))) throw fail("invalid host");
    return { hostname: zone === undefined ? address : `${address}%${unescapePercent(zone)}`, port };
  }
  const colon = host.indexOf(":");
  const port = portOf(colon < 0 ? "" : host.slice(colon), fail);
  const name = unescapePercent(colon < 0 ? host : host.slice(0, colon));
  const raw = colon < 0 ? host : host.slice(0, colon);
  const escape = /%[0-7][0-9a-fA-F]/.exec(raw.replaceAll("%25", ""));
  if (escape) throw fail(`invalid URL escape ${quote(escape[0])}`);
  const wrong = /[^A-Za-z0-9\-._~!$&'()*+,;=:[\]<>"%\u0080-\u{10ffff}]/u.exec(raw);
  if (wrong) throw fail(`invalid character ${quote(wrong[0])} in host name`);
  return { hostname: name, port };
}

function portOf(text: string, fail: (why: string) => RegoBuiltinError): string {
  if (!/^(?::[0-9]*)?$/.test(text)) throw fail(`invalid port ${quote(text.slice(0, 100))} after host`);
  return text.slice(1);
}

/** The path as Go would escape it by itself. */
function escapePath(path: string): string {
  const parts: string[] = [];
  for (const byte of toBytes(path)) {
    const character = String.fromCharCode(byte);
    parts.push(
      /[A-Za-z0-9\-_.~$&+,/:;=@]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    );
  }
  return parts.join("");
}
