// SPDX-License-Identifier: Apache-2.0
/** Packs initdata for a pod VM and checks one that an operator packed: TOML text, gzipped, in base64. */

import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync } from "node:zlib";
import { parse } from "smol-toml";
import * as v from "valibot";
import { PeerctlError } from "../errors.ts";

/** Longest packed initdata, in characters; a cloud's whole user data is 64 KiB or less. */
const MAX_PACKED_CHARS = 256 * 1024;
/** Longest initdata text, in bytes: what gunzip may produce. */
const MAX_TEXT_BYTES = 2 * 1024 * 1024;

const schema = v.object({
  /** The hash over the text that the guest measures. */
  algorithm: v.picklist(["sha256", "sha384", "sha512"], "should be sha256, sha384 or sha512"),
  version: v.string("should be a string"),
  /** File names and their contents. */
  data: v.record(v.string(), v.string("should be a string"), "should be a table"),
});

/** Packs the raw TOML text. The measured digest is that of the text, not of what is returned here. */
export function encodeInitdata(rawToml: string): string {
  return gzipSync(Buffer.from(rawToml)).toString("base64");
}

/**
 * Checks packed initdata the way a guest will read it: base64, gzip, TOML with algorithm, version and data.
 *
 * @throws {PeerctlError} kind "config" or "limit". Contents are never quoted.
 */
export function checkInitdata(base64: string): void {
  const result = v.safeParse(schema, parseToml(unpack(base64)), { abortEarly: true });
  if (result.success) return;
  const [issue] = result.issues;
  throw cannotUse(`${v.getDotPath(issue) ?? "the document"} ${issue.message}`);
}

function unpack(base64: string): Uint8Array {
  const packed = base64.trim();
  if (packed.length > MAX_PACKED_CHARS) {
    throw new PeerctlError("limit", `Cannot use initdata: ${packed.length} characters, limit ${MAX_PACKED_CHARS}`);
  }
  let gzip: Uint8Array;
  try {
    gzip = Uint8Array.fromBase64(packed);
  } catch (cause) {
    throw cannotUse("it is not base64", cause);
  }
  try {
    return gunzipSync(gzip, { maxOutputLength: MAX_TEXT_BYTES });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new PeerctlError("limit", `Cannot use initdata: its text is longer than ${MAX_TEXT_BYTES} bytes`, {
        cause,
      });
    }
    throw cannotUse("what the base64 holds is not gzip", cause);
  }
}

function parseToml(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw cannotUse("its text is not UTF-8", cause);
  }
  try {
    return parse(text);
  } catch (cause) {
    // The parser's message quotes the lines around the error; only where it was is repeated.
    const { line, column } = cause as { line?: number; column?: number };
    throw cannotUse(`its text is not TOML at line ${line}, column ${column}`);
  }
}

function cannotUse(why: string, cause?: unknown): PeerctlError {
  return new PeerctlError("config", `Cannot use initdata: ${why}`, {
    hint: "it is made with: gzip -c initdata.toml | base64 -w0",
    ...(cause !== undefined && { cause }),
  });
}
