// SPDX-License-Identifier: Apache-2.0
/** Finds what is likely wrong with certificates that are looked at, alone and beside each other. */

import type { CertificateFacts } from "./certificates_facts.ts";
import { expiryWarning } from "./expiry.ts";

export interface WarningOptions {
  readonly now: Date;
  /** Days before its end at which a certificate is warned about; absent: as expiryWarning() has it. */
  readonly warnDays: number | undefined;
}

/** What one certificate gives cause for; each goes on from the certificate. */
export function certificateWarnings(certificate: CertificateFacts, o: WarningOptions): string[] {
  const expiry = expiryWarning(certificate, o.now, o.warnDays);
  return [
    ...(expiry === undefined ? [] : [expiry]),
    ...certificate.problems,
    ...(certificate.isCa === true ? caWarnings(certificate) : leafWarnings(certificate)),
  ];
}

function caWarnings({ keyUsages, names = [], subjectKeyId }: CertificateFacts): string[] {
  const warnings: string[] = [];
  if (!keyUsages?.includes("keyCertSign")) {
    warnings.push("it is a CA whose key usage does not let it sign (keyCertSign)");
  }
  if (subjectKeyId === undefined) warnings.push("it is a CA without a subject key identifier");
  if (names.some(({ type }) => type === "dns" || type === "ip")) {
    warnings.push("it is a CA and carries names as a server does: rustls refuses a CA as a server's certificate");
  }
  return warnings;
}

function leafWarnings({ isCa, names, keyUsages, extendedKeyUsages }: CertificateFacts): string[] {
  const warnings: string[] = [];
  if (isCa === undefined) warnings.push("it does not say whether it is a CA (basicConstraints)");
  if (names === undefined) warnings.push("it has no alternative name: no TLS client takes it for a server");
  if (keyUsages !== undefined && !keyUsages.includes("digitalSignature")) {
    warnings.push(`its key usage does not allow TLS (digitalSignature): ${keyUsages.join(", ")}`);
  }
  if (extendedKeyUsages === undefined) {
    warnings.push("it does not say what it is for (extended key usage serverAuth or clientAuth)");
  } else if (!["serverAuth", "clientAuth"].some((usage) => extendedKeyUsages.includes(usage))) {
    warnings.push(`it is made neither for servers nor for clients: ${extendedKeyUsages.join(", ")}`);
  }
  return warnings;
}

/** Says where a file with a leaf in it is not in the order that TLS sends: the leaf, then each one's issuer. */
export function orderWarnings(certificates: readonly CertificateFacts[]): string[] {
  if (certificates.length < 2 || certificates.every(({ isCa }) => isCa === true)) return [];
  if (certificates[0]!.isCa === true) return ["a CA comes first: the certificate to show has to, then its issuers"];
  return certificates.flatMap((one, i) => {
    const next = certificates[i + 1];
    const hasIssuer = certificates.some((other) => other !== one && other.subjectDer === one.issuerDer);
    if (one.issuerDer === one.subjectDer || !hasIssuer || next?.subjectDer === one.issuerDer) return [];
    return [`certificate ${i + 1} is not followed by its issuer, which stands elsewhere in the file`];
  });
}
