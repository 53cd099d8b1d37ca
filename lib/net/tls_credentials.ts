// SPDX-License-Identifier: Apache-2.0
/** Checks certificates and keys before the TLS runtime sees them, which hangs or stays silent on bad ones. */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { PeerctlError } from "../errors.ts";

/** PEM texts. */
export interface TlsCredentials {
  /** One or more certificates; a peer must be one of them or issued by one of them. */
  readonly ca?: string | undefined;
  /** Our certificate, then those between it and the CA. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** What the three texts are called in errors: file names, or `the CA certificate` and so on. */
export interface CredentialNames {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const PLAIN_NAMES: CredentialNames = { ca: "the CA certificate", cert: "the certificate", key: "the private key" };

/** Longest PEM text, in characters; a chain of ten RSA-4096 certificates has 20,000. */
const MAX_PEM_CHARS = 1 << 20;

/** Most certificates in one text; a bundle of every public CA has about 150. */
const MAX_CERTIFICATES = 500;

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

/**
 * Checks that the texts parse, that the key belongs to the certificate, and that our certificate and all CAs are valid
 * now.
 *
 * Measured on Deno 2.9.6, and why this cannot be left to it: a client whose key does not fit its certificate waits for
 * ever, a server drops every connection without a word, and an empty or broken `ca` is no error.
 *
 * @throws {PeerctlError} kind "config".
 */
export function checkCredentials(
  credentials: TlsCredentials,
  names: CredentialNames = PLAIN_NAMES,
  now: Date = new Date(),
): void {
  const { ca, cert, key } = credentials;
  if (ca !== undefined) {
    // Expired CAs beside valid ones are left-overs of a rotation.
    const problems = parseCertificates(ca, names.ca).map((one) => validityProblem(one, now));
    const first = problems[0];
    if (first !== undefined && !problems.includes(undefined)) throw refuse(names.ca, first);
  }
  if (cert === undefined && key === undefined) return;
  if (cert === undefined) throw refuse(names.key, "there is no certificate with it");
  if (key === undefined) throw refuse(names.cert, "there is no private key with it");
  const leaf = parseCertificates(cert, names.cert)[0]!;
  const parsedKey = parsePrivateKey(key, names.key);
  if (!leaf.checkPrivateKey(parsedKey)) {
    throw refuse(names.key, `it does not belong to ${names.cert} (${subjectOf(leaf)})`);
  }
  const problem = validityProblem(leaf, now);
  if (problem !== undefined) throw refuse(names.cert, problem);
}

/**
 * Reads every certificate of a PEM text; text around them is skipped, as openssl does.
 *
 * @throws {PeerctlError} kind "config" when there is none, or one cannot be read; kind "limit" when it is too large.
 */
export function parseCertificates(pem: string, name: string): X509Certificate[] {
  if (pem.length > MAX_PEM_CHARS) {
    throw new PeerctlError("limit", `Cannot use ${name}: ${pem.length} characters, limit ${MAX_PEM_CHARS}`);
  }
  const blocks = pem.match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length === 0) throw refuse(name, "it holds no PEM certificate");
  if (blocks.length > MAX_CERTIFICATES) {
    throw new PeerctlError("limit", `Cannot use ${name}: ${blocks.length} certificates, limit ${MAX_CERTIFICATES}`);
  }
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      const which = blocks.length === 1 ? "it" : `certificate ${i + 1} in it`;
      throw refuse(name, `${which} cannot be read as X.509`, cause);
    }
  });
}

/** Says why a certificate is not valid at `now`, or undefined. */
export function validityProblem(certificate: X509Certificate, now: Date): string | undefined {
  const { validFromDate, validToDate } = certificate;
  if (now > validToDate) return `it expired on ${validToDate.toISOString()} (${subjectOf(certificate)})`;
  if (now < validFromDate) return `it is not valid before ${validFromDate.toISOString()} (${subjectOf(certificate)})`;
  return undefined;
}

/** The subject on one line. */
export function subjectOf(certificate: X509Certificate): string {
  const subject = certificate.subject?.split("\n").join(", ");
  return subject ? `subject ${subject}` : "no subject";
}

/**
 * Reads a PEM private key that is not encrypted.
 *
 * @throws {PeerctlError} kind "config"; the error quotes nothing of the text.
 */
export function parsePrivateKey(pem: string, name: string): KeyObject {
  if (pem.length > MAX_PEM_CHARS) throw refuse(name, "it is too large");
  if (/-----BEGIN (ENCRYPTED PRIVATE KEY|[A-Z ]*PRIVATE KEY-----\s*Proc-Type: 4,ENCRYPTED)/.test(pem)) {
    throw new PeerctlError("config", `Cannot use ${name}: it is encrypted with a pass phrase`, {
      hint:
        "decrypt it into a file of mode 0600, use that, then remove it: (umask 077; openssl pkey -in KEY -out PLAIN)",
    });
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is left out: an error must never quote a key.
    throw refuse(name, "it holds no PEM private key");
  }
}

function refuse(name: string, why: string, cause?: unknown): PeerctlError {
  return new PeerctlError("config", `Cannot use ${name}: ${why}`, { cause });
}
