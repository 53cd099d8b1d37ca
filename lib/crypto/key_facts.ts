// SPDX-License-Identifier: Apache-2.0
/** Says what a key is, without showing it: type, size and a fingerprint of its public half. */

import { createHash, createPublicKey, type KeyObject } from "node:crypto";

/** Smallest RSA key that TLS peers take, in bits (NIST SP 800-57 part 1, table 4: below is under 112 bits of strength). */
const MIN_RSA_BITS = 2048;

/** Largest RSA key that Go's crypto/tls takes, in bits: larger ones cost a server too much work. */
const MAX_RSA_BITS = 8192;

/** Curves by their name in OpenSSL, with the word of `--key-type` and the size in bits. */
const CURVES: Readonly<Record<string, readonly [type: string, bits: number]>> = {
  prime256v1: ["ecdsa-p256", 256],
  secp384r1: ["ecdsa-p384", 384],
};

const ED25519_BITS = 256;

export interface KeyFacts {
  /** In the words of `certgen --key-type`; for other keys what the runtime calls them. */
  readonly type: string;
  /** Size in bits; undefined when the runtime does not tell. */
  readonly bits: number | undefined;
  /** SHA-256 of the SubjectPublicKeyInfo in hexadecimal: the same for a key and its certificate. */
  readonly sha256: string;
  /** Why peerctl and its peers do not take such a key. */
  readonly problem: string | undefined;
}

/** Describes a private or a public key by its public half. */
export function keyFacts(key: KeyObject): KeyFacts {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { ...typeOf(publicKey), sha256: createHash("sha256").update(spki).digest("hex") };
}

function typeOf(key: KeyObject): Omit<KeyFacts, "sha256"> {
  const type = key.asymmetricKeyType ?? "unknown";
  const { modulusLength, publicExponent, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (type === "ed25519") return { type, bits: ED25519_BITS, problem: undefined };
  if (type === "rsa" && modulusLength !== undefined) {
    return { type: `rsa-${modulusLength}`, bits: modulusLength, problem: rsaProblem(modulusLength, publicExponent) };
  }
  const curve = CURVES[namedCurve];
  if (type === "ec" && curve !== undefined) return { type: curve[0], bits: curve[1], problem: undefined };
  const name = type === "ec" ? `ecdsa-${namedCurve}` : type;
  return { type: name, bits: undefined, problem: `keys of type ${name} are not used here` };
}

function rsaProblem(bits: number, exponent: bigint | undefined): string | undefined {
  if (bits < MIN_RSA_BITS) return `its RSA key has ${bits} bits, at least ${MIN_RSA_BITS} are needed`;
  if (bits > MAX_RSA_BITS) return `its RSA key has ${bits} bits, at most ${MAX_RSA_BITS} are used`;
  // Go's crypto/rsa refuses exponents that are even, below 2 or above 2^31 - 1.
  const isOdd = exponent !== undefined && exponent % 2n === 1n;
  return isOdd && exponent > 1n && exponent < 2n ** 31n ? undefined : "its RSA key has an unusual exponent";
}
