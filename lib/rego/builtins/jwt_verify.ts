// SPDX-License-Identifier: Apache-2.0
/** io.jwt.decode_verify: a token's signature and claims held against constraints. */

import { compareNumbers, fromDouble, isNumber, toDouble } from "../numbers.ts";
import { isArray, RegoObject, type Value } from "../values.ts";
import { type BuiltinContext, builtinError } from "./builtin.ts";
import { parseVerificationKeys, type VerificationKey, verifySignature } from "./jwt_keys.ts";
import { decodeHeader, decodePart, type Header, jsonObject, readHeader, signedBytes, splitToken } from "./jwt_token.ts";
import { chargeText, objectOperand, stringOperand } from "./operands.ts";
import { fromBytes, toBytes } from "./text.ts";

/** What a token must fulfil; "" asks for nothing. */
interface Constraints {
  readonly keys: readonly VerificationKey[];
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  /** Seconds since 1970, the fraction included. */
  readonly time: number;
}

/** Nanoseconds of a second. */
const SECOND = 1_000_000_000;

/** Steps that a signature with a public key costs. */
const SIGNATURE_STEPS = 1000;

const UNVERIFIED: Value = [false, RegoObject.empty, RegoObject.empty];

/** `[valid, header, payload]`; what cannot be decoded is an error, what does not hold is `[false, {}, {}]`. */
export function decodeVerify(context: BuiltinContext, args: readonly Value[]): Value {
  const constraints = readConstraints(context, objectOperand(args, 2));
  let encoded = stringOperand(args, 1);
  while (true) {
    const token = splitToken(context, encoded);
    const header = readHeader(decodeHeader(context, token));
    if (!header.valid || (constraints.alg !== "" && constraints.alg !== header.alg)) return UNVERIFIED;
    const signature = decodePart("signature", token.signature);
    if (!isSigned(context, constraints.keys, header, signedBytes(token), signature)) return UNVERIFIED;
    const body = fromBytes(decodePart("payload", token.payload));
    if (header.cty.toLowerCase() === "jwt") {
      encoded = body;
      continue;
    }
    const payload = jsonObject(context, body);
    return fulfils(payload, constraints) ? [true, header.object, payload] : UNVERIFIED;
  }
}

function readConstraints(context: BuiltinContext, object: RegoObject): Constraints {
  const texts = { alg: "", iss: "", aud: "", secret: "" };
  let keys: readonly VerificationKey[] | undefined;
  let time: Value | undefined;
  for (const [name, value] of object.entries()) {
    switch (name) {
      case "cert":
        if (typeof value !== "string") throw builtinError("cert constraint: must be a string");
        chargeText(context, value.length * 16);
        keys = parseVerificationKeys(value);
        break;
      case "secret":
      case "alg":
      case "iss":
      case "aud":
        if (typeof value !== "string") throw builtinError(`${name} constraint: must be a string`);
        texts[name] = value;
        break;
      case "time":
        time = value;
        if (!isNumber(value)) throw builtinError("token time constraint: must be a number");
        if (toDouble(value) < 0) throw builtinError("token time constraint: must not be negative");
        break;
      default:
        throw builtinError(`unknown token validation constraint: ${String(name).slice(0, 100)}`);
    }
  }
  if (keys !== undefined && texts.secret !== "") throw builtinError("duplicate key constraints");
  if (keys === undefined && texts.secret === "") throw builtinError("no key constraint");
  const secret = { alg: "", kid: "", key: toBytes(texts.secret) };
  const nanoseconds = time !== undefined && isNumber(time) ? toDouble(time) : Number(context.now());
  return { ...texts, keys: keys ?? [secret], time: nanoseconds / SECOND };
}

/** The key that the header names is the only one tried; without it every key for the algorithm. */
function isSigned(
  context: BuiltinContext,
  keys: readonly VerificationKey[],
  header: Header,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const fits = ({ key }: VerificationKey) => {
    context.charge(SIGNATURE_STEPS);
    return verifySignature(header.alg, key, data, signature);
  };
  const named = header.kid === "" ? undefined : keys.find(({ kid }) => kid === header.kid);
  if (named) return fits(named);
  return keys.some((key) => (key.alg === "" || key.alg === header.alg) && fits(key));
}

/** The registered claims (RFC 7519 section 4.1): issuer, audience, expiry and not-before. */
function fulfils(payload: RegoObject, { iss, aud, time }: Constraints): boolean {
  if (iss !== "" && payload.get("iss") !== iss) return false;
  const audience = payload.get("aud");
  if (audience === undefined ? aud !== "" : !(isArray(audience) ? audience : [audience]).includes(aud)) return false;
  const now = fromDouble(time);
  const expiry = payload.get("exp");
  if (expiry !== undefined) {
    if (!isNumber(expiry)) throw builtinError("exp value must be a number");
    if (compareNumbers(now, expiry) >= 0) return false;
  }
  const notBefore = payload.get("nbf");
  if (notBefore !== undefined) {
    if (!isNumber(notBefore)) throw builtinError("nbf value must be a number");
    if (compareNumbers(now, notBefore) < 0) return false;
  }
  return true;
}
