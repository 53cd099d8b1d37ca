// SPDX-License-Identifier: Apache-2.0
/** Makes key pairs for certificates, and tells their types apart. */

import type { KeyObject } from "node:crypto";
import { keyFacts } from "./key_facts.ts";
import { encodePem } from "./pem.ts";

/** Key types that certificates are made for, in the words of `--key-type`. */
export const KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096"] as const;
export type KeyType = typeof KEY_TYPES[number];

export interface KeyPair {
  /** DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** PEM (PKCS#8), not encrypted. */
  readonly privateKey: string;
}

const ALGORITHMS: Readonly<Record<KeyType, Algorithm | EcKeyGenParams | RsaHashedKeyGenParams>> = {
  "ecdsa-p256": { name: "ECDSA", namedCurve: "P-256" },
  "ecdsa-p384": { name: "ECDSA", namedCurve: "P-384" },
  "ed25519": { name: "Ed25519" },
  "rsa-2048": rsa(2048),
  "rsa-3072": rsa(3072),
  "rsa-4096": rsa(4096),
};

function rsa(bits: number): RsaHashedKeyGenParams {
  const publicExponent = new Uint8Array([1, 0, 1]);
  return { name: "RSASSA-PKCS1-v1_5", modulusLength: bits, publicExponent, hash: "SHA-256" };
}

/** Runs on a thread of its own: several at once use several cores. */
export async function generateKeyPair(type: KeyType): Promise<KeyPair> {
  const usages: KeyUsage[] = ["sign", "verify"];
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ALGORITHMS[type], true, usages) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)),
    privateKey: encodePem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey))),
  };
}

/** The type of a public or private key, or undefined for one that certificates are not made for. */
export function keyTypeOf(key: KeyObject): KeyType | undefined {
  const { type, problem } = keyFacts(key);
  return problem === undefined ? KEY_TYPES.find((known) => known === type) : undefined;
}
