// SPDX-License-Identifier: Apache-2.0
/** Reads and writes PEM (RFC 7468). */

import { PeerctlError } from "../errors.ts";

/** Characters of base64 in a line (RFC 7468 section 2). */
const LINE_CHARS = 64;

/** Longest text read, in characters; a bundle of every public CA has about 250,000. */
const MAX_PEM_CHARS = 1 << 20;

/** Most blocks in one text; a bundle of every public CA has about 150. */
const MAX_BLOCKS = 500;

/** What may stand between BEGIN and the dashes (RFC 7468 section 3), in a length that no known label reaches. */
const LABEL = /^[\x21-\x2c\x2e-\x7e]([- ]?[\x21-\x2c\x2e-\x7e]){0,63}$/;

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `CERTIFICATE REQUEST` and so on. */
  readonly label: string;
  /** The block as it stands in the text, with its two lines of dashes. */
  readonly text: string;
  /** Encrypted with a pass phrase; `der` is then of no use. */
  readonly isEncrypted: boolean;
  readonly der: Uint8Array<ArrayBuffer>;
}

/** Wraps DER bytes; the text ends with a newline, so that texts can be joined. */
export function encodePem(label: "CERTIFICATE" | "PRIVATE KEY", der: Uint8Array): string {
  const lines = der.toBase64().match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/**
 * Reads every block of a text, in order; what stands around them is skipped. `name` is what errors call the text.
 *
 * No error quotes any of the text: it may be a key.
 *
 * @throws {PeerctlError} kind "config" for a block without an end or with something else than base64 in it; kind "limit"
 * for a text that is too long or has too many blocks. A text without any block is an empty list.
 */
export function readPem(text: string, name: string): PemBlock[] {
  if (text.length > MAX_PEM_CHARS) {
    throw new PeerctlError("limit", `Cannot use ${name}: ${text.length} characters, limit ${MAX_PEM_CHARS}`);
  }
  const blocks: PemBlock[] = [];
  const begin = /-----BEGIN ([^\r\n]{1,130}?)-----/g;
  for (let found = begin.exec(text); found !== null; found = begin.exec(text)) {
    const label = found[1]!;
    if (!LABEL.test(label)) continue;
    const which = `PEM block ${blocks.length + 1}`;
    if (blocks.length === MAX_BLOCKS) {
      throw new PeerctlError("limit", `Cannot use ${name}: more than ${MAX_BLOCKS} PEM blocks`);
    }
    const end = `-----END ${label}-----`;
    const bodyAt = begin.lastIndex, endAt = text.indexOf(end, bodyAt);
    if (endAt < 0) throw new PeerctlError("config", `Cannot use ${name}: ${which} has no end`);
    const { isEncrypted, der } = decodeBody(text.slice(bodyAt, endAt));
    if (der === undefined) throw new PeerctlError("config", `Cannot use ${name}: ${which} is not base64`);
    begin.lastIndex = endAt + end.length;
    blocks.push({
      label,
      text: `${text.slice(found.index, endAt)}${end}\n`,
      isEncrypted: isEncrypted || label === "ENCRYPTED PRIVATE KEY",
      der,
    });
  }
  return blocks;
}

/** Older encrypted keys have header lines before the base64, with an empty line between (RFC 1421 section 4.6). */
function decodeBody(body: string): { isEncrypted: boolean; der: Uint8Array<ArrayBuffer> | undefined } {
  const [, headers = "", base64 = ""] = /^\s*((?:[A-Za-z-]+:[^\n]*\n)+\s*\n)?([^]*)$/.exec(body) ?? [];
  try {
    return { isEncrypted: /^Proc-Type:.*ENCRYPTED/m.test(headers), der: Uint8Array.fromBase64(base64) };
  } catch {
    return { isEncrypted: false, der: undefined };
  }
}
