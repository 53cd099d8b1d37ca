// SPDX-License-Identifier: Apache-2.0
/** Writes PEM (RFC 7468). */

/** Characters of base64 in a line (RFC 7468 section 2). */
const LINE_CHARS = 64;

/** Wraps DER bytes; the text ends with a newline, so that texts can be joined. */
export function encodePem(label: "CERTIFICATE" | "PRIVATE KEY", der: Uint8Array): string {
  const lines = der.toBase64().match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
