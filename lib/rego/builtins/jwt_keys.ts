// SPDX-License-Identifier: Apache-2.0
/** The keys of JSON web tokens: certificates, public keys and JWKs, and what each algorithm does with them. */

import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
  X509Certificate,
} from "node:crypto";
import { builtinError } from "./builtin.ts";
import { decodeBase64Url } from "./encoding.ts";

/** One algorithm of RFC 7518 (or EdDSA, RFC 8037): the family of its keys and the hash it signs. */
interface Algorithm {
  readonly family: "rsa" | "pss" | "ec" | "hmac" | "ed25519";
  readonly hash: "sha256" | "sha384" | "sha512" | null;
}

const HASHES = ["sha256", "sha384", "sha512"] as const;

/** The algorithms that are known, by their names in a header. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ...([["RS", "rsa"], ["PS", "pss"], ["ES", "ec"], ["HS", "hmac"]] as const).flatMap(([prefix, family]) =>
    HASHES.map((hash) => [`${prefix}${hash.slice(3)}`, { family, hash }] as const)
  ),
  ["EdDSA", { family: "ed25519", hash: null }],
]);

export function isKnownAlgorithm(name: string): boolean {
  return ALGORITHMS.has(name);
}

/** A key to verify with; a secret is the bytes of an HMAC key. */
export interface VerificationKey {
  /** From a JWK: what it may be used for, and its name; "" when not said. */
  readonly alg: string;
  readonly kid: string;
  readonly key: KeyObject | Uint8Array;
}

/**
 * Reads one PEM certificate or public key, a JWK, or a set of JWKs; keys for unknown algorithms are left out.
 *
 * @throws {RegoBuiltinError} when the text is none of them.
 */
export function parseVerificationKeys(text: string): readonly VerificationKey[] {
  const pem = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----[^\S\n]*\n?/.exec(text);
  if (!pem) {
    return parseJwkSet(text).filter(isForSignatures).map(readJwk);
  }
  if (pem.index + pem[0].length < text.length) throw builtinError("extra data after a PEM certificate block");
  const [block, type] = pem;
  if (type !== "CERTIFICATE" && type !== "PUBLIC KEY") {
    throw builtinError("failed to extract a Key from the PEM certificate");
  }
  try {
    const key = type === "CERTIFICATE" ? new X509Certificate(block).publicKey : createPublicKey(block);
    return [{ alg: "", kid: "", key }];
  } catch {
    const what = type === "CERTIFICATE" ? "certificate" : "public key";
    throw builtinError(`failed to parse a PEM ${what}`);
  }
}

type Jwk = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Jwk {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JWKs of a set, or the only one. */
function parseJwkSet(text: string): readonly Jwk[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw builtinError("failed to parse a JWK key (set): not JSON");
  }
  if (!isRecord(parsed)) throw builtinError("failed to parse a JWK key (set): not an object");
  if (!("keys" in parsed)) return [parsed];
  if (!Array.isArray(parsed.keys) || !parsed.keys.every(isRecord)) {
    throw builtinError("failed to parse a JWK key (set): keys must be an array of objects");
  }
  return parsed.keys as readonly Jwk[];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Keys for encryption stand beside those for signatures in the sets of many issuers. */
function isForSignatures(jwk: Jwk): boolean {
  const algorithm = text(jwk.alg);
  return algorithm === "" || isKnownAlgorithm(algorithm);
}

function readJwk(jwk: Jwk): VerificationKey {
  const { kty } = jwk;
  const key = kty === "oct" ? secretOf(jwk) : importKey(jwk, "public");
  return { alg: text(jwk.alg), kid: text(jwk.kid), key };
}

function secretOf(jwk: Jwk): Uint8Array {
  if (typeof jwk.k !== "string") throw builtinError("failed to parse a JWK key (set): no k");
  return decodeBase64Url(jwk.k);
}

/** A private JWK stays private, and a private key verifies nothing. */
function importKey(jwk: Jwk, use: "public" | "private"): KeyObject {
  const { kty, crv } = jwk;
  if (kty !== "RSA" && kty !== "EC" && kty !== "OKP") {
    throw builtinError("failed to parse a JWK key (set): unknown kty");
  }
  if (kty === "OKP" && crv !== "Ed25519") throw builtinError("failed to parse a JWK key (set): unknown curve");
  const members = ["kty", "crv", "x", "y", "d", "n", "e", "p", "q", "dp", "dq", "qi"];
  const key = Object.fromEntries(Object.entries(jwk).filter(([name]) => members.includes(name))) as JsonWebKey;
  try {
    return "d" in key || use === "private"
      ? createPrivateKey({ key, format: "jwk" })
      : createPublicKey({ key, format: "jwk" });
  } catch {
    throw builtinError("failed to parse a JWK key (set): not a valid key");
  }
}

/** Bytes of one half of an ECDSA signature (RFC 7518 section 3.4). */
const CURVE_BYTES: ReadonlyMap<string, number> = new Map([["prime256v1", 32], ["secp384r1", 48], ["secp521r1", 66]]);

/** True when `signature` over `data` is by `key`; a key of another kind is no match. */
export function verifySignature(
  algorithm: string,
  key: KeyObject | Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { family, hash } = ALGORITHMS.get(algorithm) ?? {};
  if (family === undefined || hash === undefined) return false;
  if (family === "hmac") {
    if (!(key instanceof Uint8Array) || hash === null) return false;
    const mac = createHmac(hash, key).update(data).digest();
    return mac.byteLength === signature.byteLength && timingSafeEqual(mac, signature);
  }
  if (key instanceof Uint8Array || key.type !== "public") return false;
  const kind = key.asymmetricKeyType;
  try {
    switch (family) {
      case "rsa":
        return kind === "rsa" && verify(hash, data, key, signature);
      case "pss":
        return kind === "rsa" && verify(hash, data, pssKey(key, constants.RSA_PSS_SALTLEN_AUTO), signature);
      case "ed25519":
        return kind === "ed25519" && verify(null, data, key, signature);
      case "ec": {
        const half = CURVE_BYTES.get(key.asymmetricKeyDetails?.namedCurve ?? "");
        if (kind !== "ec" || half === undefined || signature.byteLength !== half * 2) return false;
        return verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, signature);
      }
    }
  } catch {
    // A signature or key that the library will not even look at proves nothing.
    return false;
  }
}

/** Signatures are made with a salt as long as the hash (RFC 7518 section 3.5) and verified with any, as in OPA. */
function pssKey(key: KeyObject, saltLength: number) {
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

/**
 * Signs `data` with the first key of a JWK or a set. What ECDSA and PSS draw at random comes from the system: a
 * predictable source would give the key away.
 *
 * @throws {RegoBuiltinError} when there is no key, or it does not fit the algorithm.
 */
export function signWithJwk(algorithm: string, jwkText: string, data: Uint8Array): Uint8Array {
  const [jwk] = parseJwkSet(jwkText);
  if (!jwk) throw builtinError("no keys found in JWK set");
  const { family, hash } = ALGORITHMS.get(algorithm) ?? {};
  if (family === undefined || hash === undefined) throw builtinError(`unknown JWS algorithm: ${algorithm}`);
  const wanted = family === "hmac" ? "oct" : family === "ec" ? "EC" : family === "ed25519" ? "OKP" : "RSA";
  if (jwk.kty !== wanted) throw builtinError(`failed to sign: ${algorithm} needs a key of type ${wanted}`);
  if (family === "hmac") {
    const secret = secretOf(jwk);
    if (secret.byteLength === 0) throw builtinError("failed to sign: the key is empty");
    return createHmac(hash as string, secret).update(data).digest();
  }
  const key = importKey(jwk, "private");
  try {
    if (family === "pss") return sign(hash, data, pssKey(key, constants.RSA_PSS_SALTLEN_DIGEST));
    return sign(hash, data, family === "ec" ? { key, dsaEncoding: "ieee-p1363" } : key);
  } catch {
    throw builtinError(`failed to sign with ${algorithm}: the key does not fit`);
  }
}
