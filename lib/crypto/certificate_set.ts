// SPDX-License-Identifier: Apache-2.0
/** Makes the six files of manual mutual TLS, as texts: a CA, a server certificate and a client certificate. */

import { X509Certificate } from "node:crypto";
import type { CertificateRequest, IssuedCertificate } from "./certificates.ts";
import type { KeyType } from "./keys.ts";
import { commonNameOf, type DistinguishedName, MAX_COMMON_NAME_CHARS, withCommonName } from "./subject.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** The DNS name of the client certificate. */
export const CLIENT_NAME = "podvm_client";

/** Common name of a server whose names are all too long to be one. */
const FALLBACK_SERVER_NAME = "podvm-server";

const DAY_MS = 24 * 3_600_000;

export interface CertificateSetOptions {
  /** What the server certificate is for. */
  readonly names: readonly AlternativeName[];
  /** Attributes of all three subjects; its common name is the server's. */
  readonly subject: DistinguishedName;
  readonly keyType: KeyType;
  readonly days: number;
  readonly now: Date;
}

export interface CertificateFile {
  readonly name: string;
  readonly content: string;
  readonly isPrivateKey: boolean;
  readonly purpose: string;
  /** Of certificates only. */
  readonly certificate?: { readonly notAfter: Date; readonly sha256: string; readonly subject: string };
}

/**
 * Makes a new CA, a server certificate for `names` and a client certificate for CLIENT_NAME.
 *
 * The common name of the server is the subject's, else its first name; the CA's is that with " CA" behind it.
 */
export async function createCertificateSet(o: CertificateSetOptions): Promise<CertificateFile[]> {
  const { createAuthority } = await import("./certificates.ts");
  const serverName = commonNameOf(o.subject) ??
    o.names.find(({ type, value }) => type !== "uri" && value.length <= MAX_COMMON_NAME_CHARS)?.value ??
    FALLBACK_SERVER_NAME;
  const request = (commonName: string): CertificateRequest => ({
    subject: withCommonName(o.subject, commonName),
    keyType: o.keyType,
    now: o.now,
    validMs: o.days * DAY_MS,
  });
  const suffix = " CA";
  const authority = await createAuthority(request(serverName.slice(0, MAX_COMMON_NAME_CHARS - suffix.length) + suffix));
  const [server, client] = await Promise.all([
    authority.issue({ ...request(serverName), usage: "server", names: o.names }),
    authority.issue({ ...request(CLIENT_NAME), usage: "client", names: [{ type: "dns", value: CLIENT_NAME }] }),
  ]);
  return [
    ...pair("ca", authority, "CA that both sides trust"),
    ...pair("tls", server, "server: apf in the pod VM"),
    ...pair("client", client, "client: caa on the worker node"),
  ];
}

function pair(name: string, { cert, key, notAfter }: IssuedCertificate, purpose: string): CertificateFile[] {
  const { fingerprint256, subject } = new X509Certificate(cert);
  return [
    {
      name: `${name}.crt`,
      content: cert,
      isPrivateKey: false,
      purpose,
      certificate: {
        notAfter,
        sha256: fingerprint256.replaceAll(":", "").toLowerCase(),
        subject: (subject ?? "").split("\n").join(", "),
      },
    },
    { name: `${name}.key`, content: key, isPrivateKey: true, purpose: `private key of ${name}.crt` },
  ];
}
