// SPDX-License-Identifier: Apache-2.0
/** Checks how a request says where its body ends; what two servers could read differently is refused. */

import { countHeader, headerValue, type RawHeaders } from "./forwarded_headers.ts";
import { Refusal } from "./refusal.ts";

/** Most headers of one request; kube-apiserver sends about ten. */
const MAX_HEADERS = 100;

export type Body = { readonly kind: "none" } | { readonly kind: "sized"; readonly length: string } | {
  readonly kind: "chunked";
};

export interface FramedRequest {
  /** "1.0", "1.1" or "2.0", as node has it. */
  readonly httpVersion: string;
  readonly isHttp2: boolean;
  readonly method: string;
  readonly rawHeaders: RawHeaders;
}

/**
 * Says which body a request has. The parsers below (llhttp, nghttp2) have refused two lengths, a length beside
 * chunks, folded lines and bare line feeds by now; this is what they let through (measured on Deno 2.9.6).
 *
 * @throws {Refusal} 400 or 431.
 */
export function readFraming({ httpVersion, isHttp2, method, rawHeaders }: FramedRequest): Body {
  if (rawHeaders.length / 2 > MAX_HEADERS) throw new Refusal(431, "the request has too many headers");
  // llhttp takes "GET / HTTP/2.0" on an http/1 connection.
  if (!isHttp2 && httpVersion !== "1.1" && httpVersion !== "1.0") throw new Refusal(400, "not http/1.1");
  if (countHeader(rawHeaders, "host") > 1) throw new Refusal(400, "the request has more than one Host");
  const encoding = headerValue(rawHeaders, "transfer-encoding");
  const length = headerValue(rawHeaders, "content-length");
  if (encoding !== undefined) {
    // "gzip, chunked" and "identity" among them: kubelets know neither.
    if (encoding.toLowerCase() !== "chunked") throw new Refusal(400, "Transfer-Encoding must be chunked");
    if (httpVersion === "1.0" || isHttp2) throw new Refusal(400, "Transfer-Encoding does not exist in this protocol");
    if (length !== undefined) throw new Refusal(400, "Content-Length and Transfer-Encoding exclude each other");
    return { kind: "chunked" };
  }
  if (length !== undefined) {
    if (!/^[0-9]{1,15}$/.test(length)) throw new Refusal(400, "Content-Length must be one number");
    return Number(length) === 0 ? NO_BODY : { kind: "sized", length };
  }
  return isHttp2 && !BODILESS.has(method) ? { kind: "chunked" } : NO_BODY;
}

/** Methods whose http/2 requests are taken to have no body when they name no length. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

const NO_BODY: Body = { kind: "none" };
