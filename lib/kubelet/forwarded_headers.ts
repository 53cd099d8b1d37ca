// SPDX-License-Identifier: Apache-2.0
/** Chooses the headers that pass from client to kubelet and back. */

/** Of one connection only (RFC 9110 section 7.6.1), in either direction. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Of the request, beside those: the kubelet must know nobody but this proxy, so that no name or token of a client's
 * stands beside the proxy's certificate; and what this proxy writes itself.
 */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "authorization",
  "content-length",
  "cookie",
  "expect",
  "forwarded",
  "host",
]);

/** Names of pseudo-headers and of identities, by their beginning. */
const FOREIGN = /^(:|impersonate-|x-remote-|x-forwarded-)/;

/** A token among the protocols of a websocket, which kubelets take as well (k8s.io/apiserver, request/websocket). */
const PROTOCOL_TOKEN = /^\s*base64url\.bearer\.authorization\.k8s\.io\./i;

/** `raw` as node:http has it: names and values in turn. */
export type RawHeaders = readonly string[];

/** The headers of a request that reach the kubelet; framing and Host are not among them. */
export function requestHeaders(raw: RawHeaders): string[] {
  const listed = connectionTokens(raw);
  const kept = filtered(raw, (name) => !NOT_FORWARDED.has(name) && !listed.has(name) && !FOREIGN.test(name));
  for (let i = 0; i + 1 < kept.length; i += 2) {
    if (isName(kept[i]!, "sec-websocket-protocol")) kept[i + 1] = withoutTokens(kept[i + 1]!);
  }
  return kept;
}

/** The headers of a kubelet's answer that reach the client. */
export function responseHeaders(raw: RawHeaders): string[] {
  const listed = connectionTokens(raw);
  // A length that was listed as hop-by-hop still says where the body ends.
  return filtered(raw, (name) => !HOP_BY_HOP.has(name) && (!listed.has(name) || name === "content-length"));
}

function withoutTokens(protocols: string): string {
  return protocols.split(",").filter((protocol) => !PROTOCOL_TOKEN.test(protocol)).join(",").trim();
}

/** The values of one header, joined as RFC 9110 section 5.3 has it; undefined when there is none. */
export function headerValue(raw: RawHeaders, wanted: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (isName(raw[i]!, wanted)) value = value === undefined ? raw[i + 1]! : `${value}, ${raw[i + 1]!}`;
  }
  return value;
}

/** How often a header is there. */
export function countHeader(raw: RawHeaders, wanted: string): number {
  let count = 0;
  for (let i = 0; i < raw.length; i += 2) if (isName(raw[i]!, wanted)) count++;
  return count;
}

/** Names are looked for often: most differ in their length. */
function isName(name: string, wanted: string): boolean {
  return name.length === wanted.length && name.toLowerCase() === wanted;
}

function filtered(raw: RawHeaders, keeps: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (keeps(raw[i]!.toLowerCase())) kept.push(raw[i]!, raw[i + 1]!);
  }
  return kept;
}

const NOTHING: ReadonlySet<string> = new Set();

/** The headers that Connection declares to be of this connection only. */
function connectionTokens(raw: RawHeaders): ReadonlySet<string> {
  const value = headerValue(raw, "connection");
  if (value === undefined) return NOTHING;
  return new Set(value.toLowerCase().split(",").map((token) => token.trim()));
}
