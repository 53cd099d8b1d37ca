// SPDX-License-Identifier: Apache-2.0
/** io.jwt.*: tokens decoded, verified and signed. */

import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Value } from "../values.ts";
import {
  anyType,
  booleanType,
  type Builtin,
  type BuiltinContext,
  builtinError,
  family,
  objectType,
  stringType,
  tupleType,
} from "./builtin.ts";
import { goJson } from "./json_text.ts";
import {
  isKnownAlgorithm,
  parseVerificationKeys,
  signWithJwk,
  type VerificationKey,
  verifySignature,
} from "./jwt_keys.ts";
import { decodeHeader, decodePart, jsonObject, readHeader, signedBytes, splitToken, type Token } from "./jwt_token.ts";
import { decodeVerify } from "./jwt_verify.ts";
import { chargeText, reserveText, stringOperand } from "./operands.ts";
import { fromBytes, toBytes } from "./text.ts";

/** Steps that a signature with a public key costs. */
const SIGNATURE_STEPS = 1000;

export const jwts = family(
  {
    name: "io.jwt.decode",
    args: [stringType],
    result: tupleType(objectType(), objectType(), stringType),
    call: (context, args) => decode(context, stringOperand(args, 1)),
  },
  ...["rs256", "rs384", "rs512", "ps256", "ps384", "ps512", "es256", "es384", "es512"].map((name) =>
    asymmetric(name, name.toUpperCase())
  ),
  asymmetric("eddsa", "EdDSA"),
  ...["sha256", "sha384", "sha512"].map(symmetric),
  {
    name: "io.jwt.decode_verify",
    args: [stringType, objectType(stringType, anyType)],
    result: tupleType(booleanType, objectType(), objectType()),
    nondeterministic: true,
    call: decodeVerify,
  },
  {
    name: "io.jwt.encode_sign",
    args: [objectType(stringType, anyType), objectType(stringType, anyType), objectType(stringType, anyType)],
    result: stringType,
    nondeterministic: true,
    call(context, args) {
      const [header, payload, key] = args.map((value) => goJson(context, value)) as [string, string, string];
      return encodeSign(context, header, payload, key);
    },
  },
  {
    name: "io.jwt.encode_sign_raw",
    args: [stringType, stringType, stringType],
    result: stringType,
    nondeterministic: true,
    call: (context, args) =>
      encodeSign(context, stringOperand(args, 1), stringOperand(args, 2), stringOperand(args, 3)),
  },
);

/** Header, payload and signature in hexadecimal; the token inside a token of tokens (`cty` "JWT") is the one read. */
function decode(context: BuiltinContext, text: string): Value {
  let token: Token;
  let header;
  let body: string;
  let encoded = text;
  while (true) {
    token = splitToken(context, encoded);
    header = decodeHeader(context, token);
    body = fromBytes(decodePart("payload", token.payload));
    if (header.get("cty") !== "JWT") break;
    // A nested token is often written as a JSON string.
    encoded = body.replace(/^["']+|["']+$/g, "");
  }
  const payload = jsonObject(context, body);
  const signature = decodePart("signature", token.signature);
  return [header, payload, Buffer.from(signature).toString("hex")];
}

function asymmetric(name: string, algorithm: string): Builtin {
  return {
    name: `io.jwt.verify_${name}`,
    args: [stringType, stringType],
    result: booleanType,
    call(context, args) {
      const token = splitToken(context, stringOperand(args, 1));
      const keys = keysOf(context, stringOperand(args, 2));
      const signature = decodePart("signature", token.signature);
      const header = readHeader(decodeHeader(context, token));
      const data = signedBytes(token);
      const fits = ({ key }: VerificationKey) => {
        context.charge(SIGNATURE_STEPS);
        return verifySignature(algorithm, key, data, signature);
      };
      const named = header.kid === "" ? undefined : keys.find(({ kid }) => kid === header.kid);
      if (named) return fits(named);
      return keys.some((key) => (key.alg === "" || key.alg === header.alg) && fits(key));
    },
  };
}

/** Parses the keys of a certificate or key set once in a query. */
export function keysOf(context: BuiltinContext, text: string): readonly VerificationKey[] {
  const cacheKey = `io.jwt.keys:${text}`;
  const known = context.cache.get(cacheKey) as readonly VerificationKey[] | undefined;
  if (known) return known;
  chargeText(context, text.length * 16);
  context.charge(SIGNATURE_STEPS);
  const keys = parseVerificationKeys(text);
  context.cache.set(cacheKey, keys);
  return keys;
}

function symmetric(hash: string): Builtin {
  return {
    name: `io.jwt.verify_hs${hash.slice(3)}`,
    args: [stringType, stringType],
    result: booleanType,
    call(context, args) {
      const text = stringOperand(args, 1);
      const secret = stringOperand(args, 2);
      const token = splitToken(context, text);
      const mac = createHmac(hash, toBytes(secret)).update(signedBytes(token)).digest();
      const signature = decodePart("signature", token.signature);
      return mac.byteLength === signature.byteLength && timingSafeEqual(mac, signature);
    },
  };
}

function encodeSign(context: BuiltinContext, header: string, payload: string, jwk: string): string {
  const { alg, typ } = headerStrings(header);
  if (alg === undefined) throw builtinError("missing or invalid 'alg' header");
  if (!isKnownAlgorithm(alg)) throw builtinError(`unknown JWS algorithm: ${alg.slice(0, 100)}`);
  if ((typ === undefined || typ === "JWT") && !isJson(payload)) {
    throw builtinError("type is JWT but payload is not JSON");
  }
  reserveText(context, (header.length + payload.length) * 4);
  context.charge(SIGNATURE_STEPS);
  const encoded = [header, payload].map((part) => Buffer.from(toBytes(part)).toString("base64url")).join(".");
  const signature = signWithJwk(alg, jwk, toBytes(encoded));
  return `${encoded}.${Buffer.from(signature).toString("base64url")}`;
}

/** The parameters of a header text that are strings. */
function headerStrings(text: string): { readonly alg?: string | undefined; readonly typ?: string | undefined } {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw builtinError("missing or invalid 'alg' header: the header is not JSON");
  }
  if (typeof header !== "object" || header === null) return {};
  const { alg, typ } = header as { alg?: unknown; typ?: unknown };
  return { alg: typeof alg === "string" ? alg : undefined, typ: typeof typ === "string" ? typ : undefined };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
