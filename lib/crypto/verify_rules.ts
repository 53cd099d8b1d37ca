// SPDX-License-Identifier: Apache-2.0
/** What one certificate must be in its place of a chain: leaf or issuer (RFC 5280, as strict as OpenSSL's x509_strict). */

import { verify } from "node:crypto";
import type { CertificateFacts } from "./certificates_facts.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";
import { isForName } from "./verify_names.ts";

export type CertificateUsage = "server" | "client";

/** A word for scripts; the sentence is for people. */
export type ReasonCode =
  | "expired"
  | "not-yet-valid"
  | "wrong-name"
  | "wrong-usage"
  | "leaf-is-ca"
  | "not-a-ca"
  | "path-too-long"
  | "key-id-missing"
  | "bad-signature"
  | "issuer-missing"
  | "untrusted-root"
  | "chain-too-long"
  | "not-conforming";

export interface Reason {
  readonly code: ReasonCode;
  /** Subject of the certificate, or its serial number when it has none. */
  readonly certificate: string;
  /** Goes on from the certificate: "it expired on …". */
  readonly message: string;
}

/** The extended key usage of each use (RFC 5280 section 4.2.1.12). */
const EXTENDED_USAGE = { server: "serverAuth", client: "clientAuth" } as const;

export function reasonFor(certificate: CertificateFacts, code: ReasonCode, message: string): Reason {
  return { code, certificate: certificate.subject || `serial number ${certificate.serial}`, message };
}

/** What holds for every certificate of a chain. */
export function commonReasons(certificate: CertificateFacts, now: Date, usage: CertificateUsage): Reason[] {
  const { notBefore, notAfter, problems, extendedKeyUsages } = certificate;
  const reasons = problems.map((problem) => reasonFor(certificate, "not-conforming", problem));
  if (now < notBefore) {
    reasons.push(reasonFor(certificate, "not-yet-valid", `it is not valid before ${notBefore.toISOString()}`));
  }
  // OpenSSL counts the last second as over, Go does not.
  if (now >= notAfter) reasons.push(reasonFor(certificate, "expired", `it expired on ${notAfter.toISOString()}`));
  // Both apply a CA's own list to what it issues; OpenSSL does not take anyExtendedKeyUsage for it.
  if (extendedKeyUsages !== undefined && !extendedKeyUsages.includes(EXTENDED_USAGE[usage])) {
    const list = extendedKeyUsages.join(", ");
    reasons.push(
      reasonFor(certificate, "wrong-usage", `it is not made for ${usage}s: its extended key usage is ${list}`),
    );
  }
  return reasons;
}

/** What holds for the certificate that a peer shows. `isTrusted`: it is among the trusted ones itself. */
export function leafReasons(
  leaf: CertificateFacts,
  o: { readonly usage: CertificateUsage; readonly names: readonly AlternativeName[]; readonly isTrusted: boolean },
): Reason[] {
  const reasons: Reason[] = [];
  if (leaf.isCa === true) {
    reasons.push(reasonFor(leaf, "leaf-is-ca", `it is a CA, which rustls refuses as a ${o.usage}'s certificate`));
  }
  const { keyUsages = ["digitalSignature"] } = leaf;
  if (!keyUsages.includes("digitalSignature")) {
    reasons.push(reasonFor(leaf, "wrong-usage", `its key usage does not allow TLS: ${keyUsages.join(", ")}`));
  }
  // The self-signed client certificates of automatic TLS have it, and are trusted for themselves.
  if (leaf.isCa !== true && keyUsages.includes("keyCertSign") && !o.isTrusted) {
    reasons.push(reasonFor(leaf, "wrong-usage", "its key usage lets it sign certificates, and it is no CA"));
  }
  for (const name of o.names) {
    if (isForName(leaf.names ?? [], name)) continue;
    const list = leaf.names?.map(({ value }) => value).join(", ");
    const found = list ? `but for ${list}` : "for it has no alternative name";
    reasons.push(reasonFor(leaf, "wrong-name", `it is not for ${name.value}, ${found}`));
  }
  return reasons;
}

/** What holds for a certificate that issued others, of which `between` are CAs below it. */
export function issuerReasons(issuer: CertificateFacts, between: number): Reason[] {
  const reasons: Reason[] = [];
  if (issuer.isCa !== true) {
    reasons.push(reasonFor(issuer, "not-a-ca", "it is no CA: basicConstraints CA:TRUE is missing"));
  }
  if (!issuer.keyUsages?.includes("keyCertSign")) {
    reasons.push(reasonFor(issuer, "not-a-ca", "its key usage does not let it sign certificates (keyCertSign)"));
  }
  if (issuer.subjectKeyId === undefined) {
    reasons.push(reasonFor(issuer, "key-id-missing", "it is a CA without a subject key identifier"));
  }
  if (issuer.pathLength !== undefined && between > issuer.pathLength) {
    const message = `it allows ${issuer.pathLength} CAs below it, there are ${between}`;
    reasons.push(reasonFor(issuer, "path-too-long", message));
  }
  return reasons;
}

/** True when `issuer`'s key made the signature of `child`, with an algorithm that is taken. */
export function isSignedBy(child: CertificateFacts, issuer: CertificateFacts): boolean {
  const { signature: { hash, key: keyType }, signed, signatureValue } = child;
  if (hash === undefined) return false;
  try {
    const key = issuer.x509.publicKey;
    return key.asymmetricKeyType === keyType && verify(hash, signed, key, signatureValue);
  } catch {
    return false;
  }
}
