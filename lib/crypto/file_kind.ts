// SPDX-License-Identifier: Apache-2.0
/** Names what a file is that was given for a certificate or key and holds none in PEM. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { PeerctlError } from "../errors.ts";

/** First bytes of other formats, in hexadecimal. */
const MAGIC: readonly (readonly [start: RegExp, name: string])[] = [
  [/^feedfeed/, "a Java keystore"],
  [/^1f8b/, "compressed with gzip"],
  // SEQUENCE { INTEGER 3, … } (RFC 7292 section 4); the length has one to four bytes.
  [
    /^30(?:[0-7].|8[0-4](?:..){0,4})0201033[01]/,
    "a PKCS#12 file, which holds keys and certificates under a pass phrase",
  ],
  // SEQUENCE { OBJECT IDENTIFIER pkcs7-signedData, … } (RFC 2315 section 14).
  [/^30(?:[0-7].|8[0-4](?:..){0,4})06092a864886f70d0107/, "a PKCS#7 file in DER"],
];

/** PEM blocks that people give by mistake. */
const LABELS: Readonly<Record<string, string>> = {
  "CERTIFICATE": "a certificate",
  "CERTIFICATE REQUEST": "a certificate signing request",
  "PRIVATE KEY": "a private key",
  "EC PRIVATE KEY": "a private key",
  "RSA PRIVATE KEY": "a private key",
  "PUBLIC KEY": "a public key",
  "ENCRYPTED PRIVATE KEY": "a private key encrypted with a pass phrase",
  "OPENSSH PRIVATE KEY": "a private key in OpenSSH's own format",
  "SSH2 PUBLIC KEY": "a public key of SSH",
  "PKCS7": "a PKCS#7 file",
  "X509 CRL": "a list of revoked certificates (CRL)",
  "TRUSTED CERTIFICATE": "a certificate in OpenSSL's own format",
  "PGP PUBLIC KEY BLOCK": "an OpenPGP key",
};

/** What to run to get PEM, for the formats with which that is possible. */
const HINTS: readonly (readonly [kind: RegExp, hint: string])[] = [
  [/PKCS#12/, "openssl pkcs12 -in FILE -out FILE.pem takes it apart"],
  [/PKCS#7 file in DER/, "openssl pkcs7 -inform DER -print_certs -in FILE gives its certificates"],
  [/PKCS#7/, "openssl pkcs7 -print_certs -in FILE gives its certificates"],
  [/certificate in DER/, "openssl x509 -inform DER -in FILE gives PEM"],
  [/certificate in OpenSSL/, "openssl x509 -in FILE gives a plain certificate"],
  [/key in DER/, "openssl pkey -inform DER -in FILE gives PEM"],
  [
    /pass phrase/,
    "(umask 077; openssl pkey -in FILE -out PLAIN) writes it without; remove PLAIN when it is not needed any more",
  ],
];

/** The name of a PEM block of another kind. */
export function blockKind(label: string): string {
  return LABELS[label] ?? `a PEM block "${label}"`;
}

/** Says what bytes are that hold no PEM block. */
export function fileKind(bytes: Uint8Array<ArrayBuffer>): string {
  if (bytes.byteLength === 0) return "empty";
  const start = bytes.subarray(0, 32).toHex();
  const magic = MAGIC.find(([pattern]) => pattern.test(start));
  if (magic !== undefined) return magic[1];
  if (start.startsWith("30")) return derKind(bytes);
  const text = new TextDecoder().decode(bytes.subarray(0, 1024));
  if (text.trim() === "") return "blank";
  if (/^(ssh|ecdsa-sha2|sk-ssh)-\S+ AAAA/.test(text)) return "a public key of SSH";
  if (/^\s*[A-Za-z0-9+/=\s]+$/.test(text) && /^\s*MI/.test(text)) return "base64 without the lines of dashes of PEM";
  return text.includes("\ufffd") || text.includes("\0") ? "binary, of no known kind" : "text without a PEM block";
}

/** The error for a file that holds nothing of what was asked for: kind "config", with a way out if there is one. */
export function wrongKind(action: string, name: string, kind: string): PeerctlError {
  const hint = HINTS.find(([pattern]) => pattern.test(kind))?.[1];
  return new PeerctlError("config", `Cannot ${action} ${name}: it is ${kind}`, hint === undefined ? {} : { hint });
}

function derKind(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new X509Certificate(bytes);
    return "a certificate in DER";
  } catch {
    for (const type of ["pkcs8", "pkcs1", "sec1"] as const) {
      try {
        createPrivateKey({ key: bytes as unknown as Buffer, format: "der", type });
        return "a private key in DER";
      } catch {
        // Another type, or none.
      }
    }
    return "binary (DER or BER), of no known kind";
  }
}
