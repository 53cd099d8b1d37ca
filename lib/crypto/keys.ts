// SPDX-License-Identifier: Apache-2.0
/** Makes key pairs for certificates, tells their types apart, and writes private keys as PKCS#8. */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { keyFacts } from "./key_facts.ts";
import { encodePem } from "./pem.ts";

/** Key types that certificates are made for, in the words of `--key-type`. */
export const KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096"] as const;
export type KeyType = typeof KEY_TYPES[number];

interface KeyAlgorithm {
  readonly generate: Algorithm | EcKeyGenParams | RsaHashedKeyGenParams;
  /** How a CA with such a key signs. */
  readonly sign: EcdsaParams | Algorithm;
}

/** The hash fits the curve (RFC 5480 section 4); RSA of up to 4096 bits is signed with SHA-256, as public CAs do. */
const ALGORITHMS: Readonly<Record<KeyType, KeyAlgorithm>> = {
  "ecdsa-p256": {
    generate: { name: "ECDSA", namedCurve: "P-256" },
    sign: { name: "ECDSA", hash: "SHA-256" },
  },
  "ecdsa-p384": {
    generate: { name: "ECDSA", namedCurve: "P-384" },
    sign: { name: "ECDSA", hash: "SHA-384" },
  },
  "ed25519": { generate: { name: "Ed25519" }, sign: { name: "Ed25519" } },
  "rsa-2048": rsa(2048),
  "rsa-3072": rsa(3072),
  "rsa-4096": rsa(4096),
};

function rsa(bits: number): KeyAlgorithm {
  return {
    generate: {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: bits,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    sign: { name: "RSASSA-PKCS1-v1_5" },
  };
}

/** Runs on a thread of its own: several at once use several cores. */
export async function generateKeyPair(type: KeyType): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHMS[type].generate, true, ["sign", "verify"]) as CryptoKeyPair;
}

/** What a signature with such a key is made with. */
export function signingAlgorithm(type: KeyType): EcdsaParams | Algorithm {
  return ALGORITHMS[type].sign;
}

/** PKCS#8, PEM, not encrypted. */
export async function encodePrivateKey(key: CryptoKey): Promise<string> {
  return encodePem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

/** Reads a PEM key of that type: PKCS#8, or the older forms of EC and RSA keys. */
export async function importPrivateKey(type: KeyType, pem: string): Promise<CryptoKey> {
  const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  return await crypto.subtle.importKey("pkcs8", new Uint8Array(der), ALGORITHMS[type].generate, true, ["sign"]);
}

/** The type of a public or private key, or undefined for one that certificates are not made for. */
export function keyTypeOf(key: KeyObject): KeyType | undefined {
  const { type, problem } = keyFacts(key);
  return problem === undefined ? KEY_TYPES.find((known) => known === type) : undefined;
}
