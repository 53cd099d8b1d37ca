// SPDX-License-Identifier: Apache-2.0
/** Reads the distinguished name of a certificate as people write it. */

import { PeerctlError } from "../errors.ts";

/** One attribute of a name; the order of a DistinguishedName is the order in the certificate, most general first. */
export interface NameAttribute {
  readonly type: AttributeType;
  readonly value: string;
}
export type DistinguishedName = readonly NameAttribute[];
export type AttributeType = keyof typeof MAX_CHARS;

/** Attributes that can be used, with their longest value in characters (RFC 5280 appendix A.1, upper bounds). */
const MAX_CHARS = { C: 2, ST: 128, L: 128, O: 64, OU: 64, CN: 64 } as const;

/** Longest text of a name, in characters. */
const MAX_SUBJECT_CHARS = 1024;

/** Longest common name that a certificate can hold, in characters. */
export const MAX_COMMON_NAME_CHARS = MAX_CHARS.CN;

/**
 * Reads `/C=DE/O=Example/CN=prod` as openssl's -subj, most general first, or `CN=prod,O=Example,C=DE` as RFC 4514,
 * most specific first. A backslash takes the meaning from the next character.
 *
 * @throws {PeerctlError} kind "usage".
 */
export function parseSubject(text: string): DistinguishedName {
  const refuse = (why: string) =>
    new PeerctlError("usage", `Cannot use subject "${text}": ${why}`, {
      hint: 'write it as "/O=Example/CN=prod" or "CN=prod,O=Example"',
    });
  if (text.length > MAX_SUBJECT_CHARS) throw refuse(`${text.length} characters, limit ${MAX_SUBJECT_CHARS}`);
  // deno-lint-ignore no-control-regex -- control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(text)) throw refuse("it holds a control character");
  const isSlashForm = text.startsWith("/");
  const parts = splitUnescaped(isSlashForm ? text.slice(1) : text, isSlashForm ? "/" : ",");
  const attributes = parts.map((part): NameAttribute => {
    const [name = "", ...values] = splitUnescaped(part, "=");
    const type = name.trim().toUpperCase();
    const value = unescape(values.join("=").trim());
    if (!isAttributeType(type)) {
      throw refuse(`"${name.trim()}" is not one of ${Object.keys(MAX_CHARS).join(", ")}`);
    }
    if (value === "") throw refuse(`${type} has no value`);
    if (value.length > MAX_CHARS[type]) {
      throw refuse(`${type} has ${value.length} characters, limit ${MAX_CHARS[type]}`);
    }
    if (type === "C" && !/^[A-Z]{2}$/.test(value)) throw refuse("C must be two capital letters (ISO 3166)");
    return { type, value };
  });
  for (const single of ["C", "CN"] as const) {
    if (attributes.filter(({ type }) => type === single).length > 1) throw refuse(`${single} stands there twice`);
  }
  return isSlashForm ? attributes : attributes.toReversed();
}

/** The name's common name, if it has one. */
export function commonNameOf(name: DistinguishedName): string | undefined {
  return name.find(({ type }) => type === "CN")?.value;
}

/** The same name with another common name, which comes last. */
export function withCommonName(name: DistinguishedName, commonName: string): DistinguishedName {
  const value = commonName.slice(0, MAX_COMMON_NAME_CHARS);
  return [...name.filter(({ type }) => type !== "CN"), { type: "CN", value }];
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts = [""];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === "\\") parts[parts.length - 1] += char + (text[++i] ?? "");
    else if (char === separator) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

function isAttributeType(text: string): text is AttributeType {
  return Object.hasOwn(MAX_CHARS, text);
}
