// SPDX-License-Identifier: Apache-2.0
/** The three parts of a JSON web token (RFC 7519, compact serialization of RFC 7515) and its header. */

import { isArray, RegoObject, type Value } from "../values.ts";
import { type BuiltinContext, builtinError, RegoBuiltinError } from "./builtin.ts";
import { decodeBase64Url } from "./encoding.ts";
import { unmarshalJson } from "./json_builtins.ts";
import { chargeText } from "./operands.ts";
import { fromBytes, toBytes } from "./text.ts";

/** A token split at its dots, nothing decoded yet. */
export interface Token {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** What a header says about how to verify and read the token. */
export interface Header {
  readonly object: RegoObject;
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** False when the algorithm is missing or a critical parameter is unknown (RFC 7515 section 4.1.11). */
  readonly valid: boolean;
}

/** @throws {RegoBuiltinError} when there are not three parts. */
export function splitToken(context: BuiltinContext, text: string): Token {
  chargeText(context, text.length * 8);
  if (!text.includes(".")) throw builtinError("encoded JWT had no period separators");
  const parts = text.split(".", 100);
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw builtinError(`encoded JWT must have 3 sections, found ${parts.length}`);
  }
  return { header, payload, signature };
}

/** What a signature is over. */
export function signedBytes(token: Token): Uint8Array {
  return toBytes(`${token.header}.${token.payload}`);
}

/** Decodes one part; errors say which. */
export function decodePart(what: string, part: string): Uint8Array {
  try {
    return decodeBase64Url(part);
  } catch (error) {
    if (error instanceof RegoBuiltinError) throw builtinError(`JWT ${what} had invalid encoding: ${error.message}`);
    throw error;
  }
}

/** Reads JSON that must be an object. */
export function jsonObject(context: BuiltinContext, text: string): RegoObject {
  let value: Value;
  try {
    value = unmarshalJson(context, text);
  } catch (error) {
    if (error instanceof RegoBuiltinError) throw builtinError(`invalid JSON: ${error.message}`);
    throw error;
  }
  if (value instanceof RegoObject) return value;
  throw builtinError("decoded JSON type was not an Object");
}

/** Decodes the header; an encrypted token (one with `enc`) is refused. */
export function decodeHeader(context: BuiltinContext, token: Token): RegoObject {
  const text = fromBytes(decodePart("header", token.header));
  let header: RegoObject;
  try {
    header = jsonObject(context, text);
  } catch (error) {
    if (error instanceof RegoBuiltinError) throw builtinError(`bad JWT header: ${error.message}`);
    throw error;
  }
  if (header.has("enc")) throw builtinError("JWT is a JWE object, which is not supported");
  return header;
}

const KNOWN_PARAMETERS = ["alg", "kid", "typ", "cty", "crit"];

/** Reads the parameters of a header. @throws {RegoBuiltinError} when a known one has the wrong type. */
export function readHeader(object: RegoObject): Header {
  const named = (name: string): string => {
    const value = object.get(name);
    if (value === undefined || typeof value === "string") return value ?? "";
    throw builtinError(`${name}: must be a string`);
  };
  const [alg, kid, cty] = [named("alg"), named("kid"), named("cty")];
  named("typ");
  const critical = criticalParameters(object.get("crit"));
  const unknown = critical.some((name) => object.has(name) && !KNOWN_PARAMETERS.includes(name));
  return { object, alg, kid, cty, valid: alg !== "" && !unknown };
}

/** The names in `crit`, up to the first that is no string, as OPA reads them. */
function criticalParameters(crit: Value | undefined): readonly string[] {
  if (crit === undefined) return [];
  if (!isArray(crit)) throw builtinError("crit: must be a list");
  const wrong = crit.findIndex((name) => typeof name !== "string");
  const names = (wrong < 0 ? crit : crit.slice(0, wrong)) as readonly string[];
  if (names.length === 0) throw builtinError("crit: must be a nonempty list");
  return names;
}
