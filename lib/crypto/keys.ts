// SPDX-License-Identifier: Apache-2.0
/** Makes key pairs for certificates and writes private keys as PKCS#8. */

import { createPrivateKey } from "node:crypto";
import { encodePem } from "./pem.ts";

/** Key types that certificates are made for, in the words of `--key-type`. */
export const KEY_TYPES = ["ecdsa-p256", "rsa-2048"] as const;
export type KeyType = typeof KEY_TYPES[number];

interface KeyAlgorithm {
  readonly generate: EcKeyGenParams | RsaHashedKeyGenParams;
  /** How a CA with such a key signs. */
  readonly sign: EcdsaParams | Algorithm;
}

const ALGORITHMS: Readonly<Record<KeyType, KeyAlgorithm>> = {
  "ecdsa-p256": {
    generate: { name: "ECDSA", namedCurve: "P-256" },
    sign: { name: "ECDSA", hash: "SHA-256" },
  },
  "rsa-2048": {
    generate: {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    sign: { name: "RSASSA-PKCS1-v1_5" },
  },
};

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

/** Reads what `encodePrivateKey` wrote. */
export async function importPrivateKey(type: KeyType, pem: string): Promise<CryptoKey> {
  const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  return await crypto.subtle.importKey("pkcs8", new Uint8Array(der), ALGORITHMS[type].generate, true, ["sign"]);
}
