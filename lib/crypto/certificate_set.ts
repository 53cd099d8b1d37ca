// SPDX-License-Identifier: Apache-2.0
/** Makes the files of manual mutual TLS, as texts: a CA or what is needed of a given one, server and client certificate. */

import { X509Certificate } from "node:crypto";
import type { Authority, IssuedCertificate, SubjectName } from "./certificates.ts";
import type { ExistingAuthority } from "./certificates_authority.ts";
import { DAY_MS } from "./expiry.ts";
import { generateKeyPair, type KeyPair, type KeyType } from "./keys.ts";
import { commonNameOf, type DistinguishedName, MAX_COMMON_NAME_CHARS, withCommonName } from "./subject.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** The DNS name of the client certificate. */
export const CLIENT_NAME = "podvm_client";

/** Common name of a server whose names are all too long to be one. */
const FALLBACK_SERVER_NAME = "podvm-server";

/** What the files of each side are called, and what they are for. */
export const SIDES = {
  server: { file: "tls", purpose: "server: apf in the pod VM" },
  client: { file: "client", purpose: "client: caa on the worker node" },
} as const;
export type Side = keyof typeof SIDES;

export interface CertificateSetOptions {
  /** What the server certificate is for; without a server, the client certificate. */
  readonly names: readonly AlternativeName[];
  /** Attributes of all subjects; its common name is the server's, or without a server the client's. */
  readonly subject: DistinguishedName;
  readonly keyType: KeyType;
  readonly days: number;
  readonly now: Date;
  /** Both if absent. */
  readonly sides?: readonly Side[] | undefined;
  /** Issues instead of a new CA. */
  readonly authority?: ExistingAuthority | undefined;
}

export interface CertificateFile {
  readonly name: string;
  readonly content: string;
  readonly isPrivateKey: boolean;
  readonly purpose: string;
  /** Of certificates only. */
  readonly certificate?: { readonly notAfter: Date; readonly sha256: string; readonly subject: string };
}

/** One certificate to be made with a new key. */
export interface Leaf {
  readonly side: Side;
  readonly subject: SubjectName;
  readonly names: readonly AlternativeName[];
  readonly keyType: KeyType;
  readonly validMs: number;
  /** Under way. */
  readonly keys: Promise<KeyPair>;
}

/**
 * Makes a new CA, a server certificate for `names` and a client certificate for CLIENT_NAME, or what the options leave of it.
 *
 * The common name of the server is the subject's, else its first name; the CA's is that with " CA" behind it. All keys are
 * made at once, on threads of their own, while what makes certificates is being loaded.
 */
export async function createCertificateSet(o: CertificateSetOptions): Promise<CertificateFile[]> {
  const { authority, keyType, now, sides = ["server", "client"] } = o;
  const validMs = o.days * DAY_MS;
  const mainName = mainNameOf(o.subject, o.names, sides.includes("server") ? FALLBACK_SERVER_NAME : CLIENT_NAME);
  const caKeys = authority === undefined ? generateKeyPair(keyType) : undefined;
  const leaves = sides.map((side, i): Leaf => ({
    side,
    keyType,
    validMs,
    keys: generateKeyPair(keyType),
    subject: withCommonName(o.subject, i === 0 ? mainName : CLIENT_NAME),
    names: i === 0 && o.names.length > 0 ? o.names : [{ type: "dns", value: CLIENT_NAME }],
  }));
  if (caKeys === undefined) return [...anchorFile(authority!), ...await issueLeaves(leaves, authority!, now)];
  const { createAuthority } = await import("./certificates.ts");
  const suffix = " CA";
  const subject = withCommonName(o.subject, mainName.slice(0, MAX_COMMON_NAME_CHARS - suffix.length) + suffix);
  const created = await createAuthority({ subject, keyType, now, validMs, keys: await caKeys });
  return [...authorityFiles(created), ...await issueLeaves(leaves, created, now)];
}

/** Has an authority issue the certificates; a chain, if it has one, goes behind each. */
export async function issueLeaves(
  leaves: readonly Leaf[],
  authority: Authority & { readonly chain?: string },
  now: Date,
): Promise<CertificateFile[]> {
  const files = await Promise.all(leaves.map(async ({ side, keys, ...leaf }) => {
    const issued = await authority.issue({ ...leaf, now, usage: side, keys: await keys });
    const { file, purpose } = SIDES[side];
    return pair(file, { ...issued, cert: issued.cert + (authority.chain ?? "") }, purpose);
  }));
  return files.flat();
}

/** A CA with its key. */
export function authorityFiles(authority: IssuedCertificate): CertificateFile[] {
  return pair("ca", authority, CA_PURPOSE);
}

/** What peers verify with, without a key. */
export function anchorFile({ anchor }: Pick<ExistingAuthority, "anchor">): CertificateFile[] {
  return [certificateFile("ca", anchor, CA_PURPOSE)];
}

const CA_PURPOSE = "CA that both sides trust";

/** A file that begins with the certificate it is about. */
export function certificateFile(name: string, pem: string, purpose: string): CertificateFile {
  const { fingerprint256, subject, validToDate } = new X509Certificate(pem);
  return {
    name: `${name}.crt`,
    content: pem,
    isPrivateKey: false,
    purpose,
    certificate: {
      notAfter: validToDate,
      sha256: fingerprint256.replaceAll(":", "").toLowerCase(),
      subject: (subject ?? "").split("\n").join(", "),
    },
  };
}

function pair(name: string, { cert, key }: IssuedCertificate, purpose: string): CertificateFile[] {
  return [
    certificateFile(name, cert, purpose),
    { name: `${name}.key`, content: key, isPrivateKey: true, purpose: `private key of ${name}.crt` },
  ];
}

function mainNameOf(subject: DistinguishedName, names: readonly AlternativeName[], fallback: string): string {
  const short = names.find(({ type, value }) => type !== "uri" && value.length <= MAX_COMMON_NAME_CHARS);
  return commonNameOf(subject) ?? short?.value ?? fallback;
}
