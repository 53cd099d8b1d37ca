// SPDX-License-Identifier: Apache-2.0
/** Reads the names that a certificate is for: DNS names, IP addresses and SPIFFE IDs. */

import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { PeerctlError, throwProblems } from "../errors.ts";

export interface AlternativeName {
  readonly type: "dns" | "ip" | "uri";
  /** Lower case, and an IPv6 address in its short form. */
  readonly value: string;
}

/** Limits of DNS, in characters (RFC 1035 section 2.3.4). */
const MAX_DNS_CHARS = 253;
const MAX_LABEL_CHARS = 63;

/** Limits of a SPIFFE ID, in bytes (SPIFFE-ID standard section 2.3); it is ASCII, so bytes are characters. */
const MAX_SPIFFE_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;

/** Most names in one certificate: TLS peers limit the size of a certificate (rustls and Go: 64 KiB of handshake). */
const MAX_NAMES = 100;

/** Underscores are no host names (RFC 952) but widely used, also by `podvm_client`; openssl, Go and rustls take them. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

/**
 * Reads every name; duplicates are left out.
 *
 * @throws {PeerctlError} kind "usage" for a name that is none (AggregateError for several), for too many, and for a second
 * SPIFFE ID (an X.509-SVID carries exactly one URI, X.509-SVID standard section 2).
 */
export function parseAlternativeNames(texts: readonly string[]): AlternativeName[] {
  const names = new Map<string, AlternativeName>();
  const problems: unknown[] = [];
  for (const text of texts) {
    try {
      const name = parseAlternativeName(text);
      names.set(`${name.type}:${name.value}`, name);
    } catch (error) {
      problems.push(error);
    }
  }
  throwProblems(problems);
  const all = [...names.values()];
  if (all.length > MAX_NAMES) throw new PeerctlError("usage", `Cannot use ${all.length} names: limit ${MAX_NAMES}`);
  const ids = all.filter(({ type }) => type === "uri");
  if (ids.length > 1) {
    const list = ids.map(({ value }) => value).join(" and ");
    throw new PeerctlError("usage", `Cannot use ${list}: a certificate carries at most one SPIFFE ID`);
  }
  return all;
}

function parseAlternativeName(text: string): AlternativeName {
  if (text.includes("://")) return { type: "uri", value: checkSpiffeId(text) };
  const version = isIP(text);
  if (version === 4) return { type: "ip", value: text };
  if (version === 6) return { type: "ip", value: shortIpv6(text) };
  return { type: "dns", value: checkDnsName(text) };
}

function checkDnsName(text: string): string {
  const refuse = (why: string, hint?: string) =>
    new PeerctlError("usage", `Cannot use name "${text}": ${why}`, hint === undefined ? {} : { hint });
  const name = text.toLowerCase();
  if (name === "") throw refuse("it is empty");
  if (/[\u0080-\uffff]/.test(name)) {
    const ascii = domainToASCII(name);
    throw refuse("a name outside ASCII must be given in punycode", ascii === "" ? undefined : `write it as "${ascii}"`);
  }
  if (/^[\d.]+$/.test(name)) throw refuse("it is no IPv4 address");
  if (name.includes(":") || name.includes("[")) {
    throw refuse("it is no IPv6 address and no DNS name", "give an address without port and without brackets");
  }
  if (name.endsWith(".")) throw refuse("it ends with a dot", `write it as "${name.replace(/\.+$/, "")}"`);
  if (name.length > MAX_DNS_CHARS) throw refuse(`${name.length} characters, limit ${MAX_DNS_CHARS}`);
  const labels = name.split(".");
  const plain = labels[0] === "*" && labels.length > 1 ? labels.slice(1) : labels;
  if (plain.some((label) => label.includes("*"))) {
    throw refuse('"*" can only stand for the whole first label, before at least one more');
  }
  for (const label of plain) {
    if (label === "") throw refuse("it has an empty label");
    if (label.length > MAX_LABEL_CHARS) throw refuse(`"${label}" has more than ${MAX_LABEL_CHARS} characters`);
    if (!LABEL.test(label)) throw refuse(`"${label}" is no DNS label (a-z, 0-9, "-" inside, "_")`);
  }
  return name;
}

/** The rules of the SPIFFE-ID standard, sections 2.1 to 2.3. */
function checkSpiffeId(text: string): string {
  const refuse = (why: string) =>
    new PeerctlError("usage", `Cannot use name "${text}": ${why}`, {
      hint: 'a SPIFFE ID looks like "spiffe://example.org/ns/default/sa/web"',
    });
  if (!text.startsWith("spiffe://")) throw refuse("the only URIs taken are SPIFFE IDs, whose scheme is spiffe");
  if (new TextEncoder().encode(text).byteLength > MAX_SPIFFE_BYTES) throw refuse(`more than ${MAX_SPIFFE_BYTES} bytes`);
  const rest = text.slice("spiffe://".length);
  if (rest.includes("?")) throw refuse("a SPIFFE ID has no query");
  if (rest.includes("#")) throw refuse("a SPIFFE ID has no fragment");
  const [trustDomain = "", ...segments] = rest.split("/");
  if (trustDomain === "") throw refuse("the trust domain is missing");
  if (trustDomain.includes("@")) throw refuse("a SPIFFE ID has no user");
  if (trustDomain.includes(":")) throw refuse("a SPIFFE ID has no port");
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES) {
    throw refuse(`the trust domain has more than ${MAX_TRUST_DOMAIN_BYTES} bytes`);
  }
  if (!/^[a-z0-9._-]+$/.test(trustDomain)) throw refuse('the trust domain may hold a-z, 0-9, ".", "-" and "_" only');
  for (const segment of segments) {
    if (segment === "") throw refuse("the path has an empty segment or ends with a slash");
    if (segment === "." || segment === "..") throw refuse(`the path has the segment "${segment}"`);
    if (!/^[A-Za-z0-9._-]+$/.test(segment)) {
      throw refuse('the path may hold a-z, A-Z, 0-9, ".", "-" and "_" only');
    }
  }
  return text;
}

function shortIpv6(text: string): string {
  if (text.includes("%")) {
    throw new PeerctlError("usage", `Cannot use name "${text}": a certificate cannot name a zone`);
  }
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}
