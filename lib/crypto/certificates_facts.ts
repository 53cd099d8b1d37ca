// SPDX-License-Identifier: Apache-2.0
/** Reads a certificate strictly into facts, and tells what makes it no conforming one (RFC 5280 section 4.1). */

import { AsnSerializer } from "@peculiar/asn1-schema";
import { type AlgorithmIdentifier, Certificate, type Time } from "@peculiar/asn1-x509";
import { X509Certificate } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import { type ExtensionFacts, readDer, readExtensions } from "./certificates_extensions.ts";
import { nameProblem } from "./certificates_names.ts";
import { type KeyFacts, keyFacts } from "./key_facts.ts";

/** Longest serial number, in bytes, without the zero that keeps it positive (RFC 5280 section 4.1.2.2). */
const MAX_SERIAL_BYTES = 20;

/** Version 3 as it is written in a certificate. */
const VERSION_3 = 2;

/** How a signature was made. */
export interface SignatureFacts {
  readonly name: string;
  /** What node:crypto's verify() takes: null hashes nothing beforehand; undefined for those that are not taken. */
  readonly hash: string | null | undefined;
  /** The kind of key it is made with. */
  readonly key: "ec" | "rsa" | "ed25519" | undefined;
}

export interface CertificateFacts extends ExtensionFacts {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly x509: X509Certificate;
  readonly version: number;
  /** In hexadecimal. */
  readonly serial: string;
  /** On one line, in the order of the certificate. */
  readonly subject: string;
  readonly issuer: string;
  /** The names' DER in hexadecimal. */
  readonly subjectDer: string;
  readonly issuerDer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly key: KeyFacts | undefined;
  readonly signature: SignatureFacts;
  /** What the signature is over, and the signature. */
  readonly signed: Uint8Array<ArrayBuffer>;
  readonly signatureValue: Uint8Array<ArrayBuffer>;
  /** SHA-256 of the DER, in hexadecimal. */
  readonly sha256: string;
}

/** Signatures by number; only those with a hash are taken. */
export const SIGNATURES: Readonly<Record<string, SignatureFacts>> = {
  "1.2.840.10045.4.3.2": { name: "ecdsa-with-SHA256", hash: "sha256", key: "ec" },
  "1.2.840.10045.4.3.3": { name: "ecdsa-with-SHA384", hash: "sha384", key: "ec" },
  "1.2.840.10045.4.3.4": { name: "ecdsa-with-SHA512", hash: "sha512", key: "ec" },
  "1.2.840.113549.1.1.11": { name: "sha256WithRSAEncryption", hash: "sha256", key: "rsa" },
  "1.2.840.113549.1.1.12": { name: "sha384WithRSAEncryption", hash: "sha384", key: "rsa" },
  "1.2.840.113549.1.1.13": { name: "sha512WithRSAEncryption", hash: "sha512", key: "rsa" },
  "1.3.101.112": { name: "Ed25519", hash: null, key: "ed25519" },
  "1.2.840.10045.4.1": { name: "ecdsa-with-SHA1", hash: undefined, key: undefined },
  "1.2.840.113549.1.1.4": { name: "md5WithRSAEncryption", hash: undefined, key: undefined },
  "1.2.840.113549.1.1.5": { name: "sha1WithRSAEncryption", hash: undefined, key: undefined },
  "1.2.840.113549.1.1.10": { name: "RSASSA-PSS", hash: undefined, key: undefined },
};

/**
 * Reads one certificate.
 *
 * What is readable and still not right is in `problems`, so that a bundle with one odd CA in it can be used.
 *
 * @throws {PeerctlError} kind "config" when it is no X.509 certificate in DER; the message goes on from "Cannot use `name`: ".
 */
export function readCertificate(der: Uint8Array<ArrayBuffer>, name: string): CertificateFacts {
  const refuse = (why: string, cause?: unknown) => new PeerctlError("config", `Cannot use ${name}: ${why}`, { cause });
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(der);
  } catch (cause) {
    throw refuse("it cannot be read as X.509", cause);
  }
  const certificate = readDer(der.slice().buffer, Certificate);
  if (certificate === undefined || certificate.tbsCertificateRaw === undefined) {
    throw refuse("it is not written in DER, the one form of X.509 that every peer reads");
  }
  const { tbsCertificate: tbs, signatureAlgorithm } = certificate;
  const { extensions = [] } = tbs;
  const found = readExtensions([...extensions]);
  const { key, problem: keyProblem } = readKey(x509, new Uint8Array(AsnSerializer.serialize(tbs.subjectPublicKeyInfo)));
  const signature = SIGNATURES[signatureAlgorithm.algorithm] ??
    { name: signatureAlgorithm.algorithm, hash: undefined, key: undefined };
  const serial = new Uint8Array(tbs.serialNumber);
  const names = [tbs.subject, tbs.issuer];
  const problems = [
    tbs.version === VERSION_3 ? undefined : `it is X.509 version ${tbs.version + 1}, only 3 is taken`,
    serialProblem(serial),
    ...names.map(nameProblem),
    tbs.issuer.length > 0 ? undefined : "its issuer has no name",
    tbs.subject.length > 0 || found.critical.includes("subjectAltName")
      ? undefined
      : "it has neither a subject nor a critical alternative name",
    timeProblem(tbs.validity.notBefore) ?? timeProblem(tbs.validity.notAfter),
    tbs.issuerUniqueID ?? tbs.subjectUniqueID ? "it has a unique identifier beside its names" : undefined,
    sameAlgorithm(tbs.signature, signatureAlgorithm) ? undefined : "it names two different signature algorithms",
    signatureProblem(signature, signatureAlgorithm),
    keyProblem,
  ];
  return {
    ...found,
    problems: [...new Set([...problems.filter((one) => one !== undefined), ...found.problems])],
    der,
    x509,
    version: tbs.version + 1,
    serial: serial.toHex(),
    subject: oneLine(x509.subject),
    issuer: oneLine(x509.issuer),
    subjectDer: hexOf(tbs.subject),
    issuerDer: hexOf(tbs.issuer),
    notBefore: tbs.validity.notBefore.getTime(),
    notAfter: tbs.validity.notAfter.getTime(),
    key,
    signature,
    signed: new Uint8Array(certificate.tbsCertificateRaw),
    signatureValue: new Uint8Array(certificate.signatureValue),
    sha256: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** Compared with what the runtime writes: a key in an unusual encoding is not the same for every peer. */
function readKey(x509: X509Certificate, spki: Uint8Array): { key: KeyFacts | undefined; problem: string | undefined } {
  try {
    const key = keyFacts(x509.publicKey);
    const written = new Uint8Array(x509.publicKey.export({ type: "spki", format: "der" }));
    const isPlain = written.toHex() === spki.toHex();
    return { key, problem: key.problem ?? (isPlain ? undefined : "its public key is written in an unusual way") };
  } catch {
    return { key: undefined, problem: "its public key cannot be read" };
  }
}

function serialProblem(serial: Uint8Array): string | undefined {
  if ((serial[0] ?? 0) > 0x7f) return "its serial number is negative";
  const length = serial[0] === 0 ? serial.length - 1 : serial.length;
  return length > MAX_SERIAL_BYTES ? `its serial number has more than ${MAX_SERIAL_BYTES} bytes` : undefined;
}

function timeProblem(time: Time): string | undefined {
  const date = time.getTime();
  if (Number.isNaN(date.getTime())) return "its validity is no date";
  return date.getMilliseconds() === 0 ? undefined : "its validity has fractions of a second";
}

function sameAlgorithm(a: AlgorithmIdentifier, b: AlgorithmIdentifier): boolean {
  return hexOf(a) === hexOf(b);
}

/** RSA signatures carry NULL (RFC 4055 section 5), the others no parameters (RFC 5758 section 3.2, RFC 8410 section 3). */
function signatureProblem(
  { name, hash, key }: SignatureFacts,
  { parameters }: AlgorithmIdentifier,
): string | undefined {
  if (hash === undefined) return `its signature is made with ${name}, which is not taken`;
  const isRight = key === "rsa" ? parameters === null : parameters === undefined;
  return isRight ? undefined : "its signature has unusual parameters";
}

function hexOf(value: unknown): string {
  return new Uint8Array(AsnSerializer.serialize(value)).toHex();
}

function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}
