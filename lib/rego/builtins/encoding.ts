// SPDX-License-Identifier: Apache-2.0
/** base64.*, base64url.* and hex.*: bytes as text (RFC 4648). */

import { Buffer } from "node:buffer";
import type { Value } from "../values.ts";
import { booleanType, type Builtin, type BuiltinContext, builtinError, family, stringType } from "./builtin.ts";
import { chargeText, reserveText, stringOperand } from "./operands.ts";
import { byteLength, fromBytes, quote, toBytes } from "./text.ts";

function convert(name: string, operate: (context: BuiltinContext, text: string) => string): Builtin {
  return {
    name,
    args: [stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      chargeText(context, text.length);
      return operate(context, text);
    },
  };
}

export const encodings = family(
  convert("base64.encode", (context, text) => encode(context, text, "base64")),
  convert("base64.decode", (_context, text) => fromBytes(decodeBase64(text, STANDARD))),
  {
    name: "base64.is_valid",
    args: [stringType],
    result: booleanType,
    call(context, args) {
      const text = args[0] as Value;
      if (typeof text !== "string") return false;
      chargeText(context, text.length);
      return base64Fault(withoutNewlines(text), STANDARD) < 0;
    },
  },
  convert("base64url.encode", (context, text) => {
    const bare = encode(context, text, "base64url");
    return bare + "=".repeat((4 - bare.length % 4) % 4);
  }),
  convert("base64url.encode_no_pad", (context, text) => encode(context, text, "base64url")),
  convert("base64url.decode", (_context, text) => fromBytes(decodeBase64Url(text))),
  convert("hex.encode", (context, text) => {
    reserveText(context, byteLength(text) * 2);
    return Buffer.from(toBytes(text)).toString("hex");
  }),
  convert("hex.decode", (_context, text) => {
    const wrong = text.search(/[^0-9a-fA-F]/);
    if (wrong >= 0) {
      const character = String.fromCodePoint(text.codePointAt(wrong) as number);
      const point = (text.codePointAt(wrong) as number).toString(16).toUpperCase().padStart(4, "0");
      throw builtinError(`encoding/hex: invalid byte: U+${point} ${quote(character).replaceAll('"', "'")}`);
    }
    if (text.length % 2 !== 0) throw builtinError("encoding/hex: odd length hex string");
    return fromBytes(Buffer.from(text, "hex"));
  }),
);

const STANDARD = /[^A-Za-z0-9+/]/;
const URL_SAFE = /[^A-Za-z0-9_-]/;

function encode(context: BuiltinContext, text: string, alphabet: "base64" | "base64url"): string {
  reserveText(context, Math.ceil(byteLength(text) / 3) * 4);
  return Buffer.from(toBytes(text)).toString(alphabet);
}

function withoutNewlines(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, "") : text;
}

/** Where `text` stops being padded base64, -1 when it does not. */
function base64Fault(text: string, foreign: RegExp): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const wrong = text.slice(0, text.length - padding).search(foreign);
  if (wrong >= 0) return wrong;
  return text.length % 4 === 0 ? -1 : text.length;
}

function decodeBase64(text: string, foreign: RegExp): Uint8Array {
  const body = withoutNewlines(text);
  const fault = base64Fault(body, foreign);
  if (fault >= 0) throw builtinError(`illegal base64 data at input byte ${fault}`);
  return Buffer.from(body, foreign === STANDARD ? "base64" : "base64url");
}

/** Padding may be missing (RFC 7515 appendix C). @throws {RegoBuiltinError} for anything else that is wrong. */
export function decodeBase64Url(text: string): Uint8Array {
  if (text.endsWith("=")) return decodeBase64(text, URL_SAFE);
  const missing = (4 - byteLength(text) % 4) % 4;
  if (missing === 3) throw builtinError(`illegal base64url string: ${text.slice(0, 100)}`);
  return decodeBase64(text + "=".repeat(missing), URL_SAFE);
}
