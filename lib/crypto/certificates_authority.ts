// SPDX-License-Identifier: Apache-2.0
/** Takes up a CA from its files: finds which certificate the key signs for, checks it, and builds the chain above it. */

import { PeerctlError } from "../errors.ts";
import { parsePrivateKey } from "../net/tls_credentials.ts";
import { type Authority, openAuthority, renewAuthority } from "./certificates.ts";
import type { CertificateFacts } from "./certificates_facts.ts";
import { readCertificates } from "./certificates_read.ts";
import { keyFacts } from "./key_facts.ts";
import { encodePem } from "./pem.ts";
import { commonReasons, isSignedBy, issuerReasons } from "./verify_rules.ts";

/** Most CAs above a leaf; public ones have two or three. */
const MAX_CHAIN = 8;

export interface ExistingAuthority extends Authority {
  /** PEM of what goes behind a leaf so that peers who have only the anchor can verify it; "" for a self-signed CA. */
  readonly chain: string;
  /** PEM of what peers verify with: the self-signed CA at the top, else the topmost that was given. */
  readonly anchor: string;
  /** What an operator should know of this CA. */
  readonly notes: readonly string[];
}

/** PEM texts, and what errors call them. */
export interface AuthorityFiles {
  readonly cert: string;
  readonly key: string;
  readonly certName: string;
  readonly keyName: string;
}

export interface AuthorityNeeds {
  readonly now: Date;
  /** What the certificates to be issued are for. */
  readonly usages: readonly ("server" | "client")[];
}

/**
 * Takes up a CA. `cert` may hold more than its certificate, in any order: those between it and the root, and the root.
 *
 * @throws {PeerctlError} kind "config" for anything by which peers would refuse what it issues: the key belongs to none of
 * the certificates, one in the chain is no CA, may not sign certificates or not for these usages, allows no CA below it,
 * has expired or is not valid yet.
 */
export function readAuthority(files: AuthorityFiles, needs: AuthorityNeeds): ExistingAuthority {
  const { signer, all } = findSigner(files);
  const chain = chainAbove(signer, all);
  chain.forEach((one, below) => checkLink(one, below, files.certName, needs));
  const end = new Date(Math.min(...chain.map(({ notAfter }) => notAfter.getTime())));
  const authority = openAuthority({ cert: pemOf(signer), key: files.key }, end);
  const top = chain.at(-1)!;
  const hasRoot = isSelfSigned(top);
  return {
    ...authority,
    chain: (hasRoot ? chain.slice(0, -1) : chain).map(pemOf).join(""),
    anchor: pemOf(top),
    notes: [
      ...chain.flatMap((one, below) => doubts(one, below, needs)),
      ...(hasRoot ? [] : [
        `${files.certName} has no self-signed root: ca.crt holds ${top.subject}, which peerctl and Go take as it is and ` +
        "openssl only with -partial_chain",
      ]),
      ...(all.length === chain.length ? [] : [
        `${all.length - chain.length} of the certificates in ${files.certName} are not above this CA and are left out`,
      ]),
    ],
  };
}

/**
 * As readAuthority(), but a self-signed CA that does not last until `until` is first made anew with its own key and name,
 * valid as long as it was, or until then.
 */
export function readRenewedAuthority(
  files: AuthorityFiles,
  needs: AuthorityNeeds & { readonly until: Date },
): ExistingAuthority & { readonly isRenewed: boolean } {
  const { signer } = findSigner(files);
  if (signer.notAfter >= needs.until || !isSelfSigned(signer)) {
    return { ...readAuthority(files, needs), isRenewed: false };
  }
  checkLink({ ...signer, notBefore: needs.now, notAfter: needs.until }, 0, files.certName, needs);
  const validMs = Math.max(+signer.notAfter - +signer.notBefore, +needs.until - +needs.now);
  const { cert } = renewAuthority({ cert: pemOf(signer), key: files.key }, { now: needs.now, validMs });
  return { ...readAuthority({ ...files, cert }, needs), isRenewed: true };
}

function findSigner(files: AuthorityFiles): { signer: CertificateFacts; all: CertificateFacts[] } {
  const key = parsePrivateKey(files.key, files.keyName);
  const all = readCertificates(new TextEncoder().encode(files.cert), files.certName);
  const { sha256 } = keyFacts(key);
  const signer = all.find((one) => one.key?.sha256 === sha256);
  if (signer === undefined) {
    const which = all.map(({ subject }) => subject).join("; ");
    throw new PeerctlError(
      "config",
      `Cannot use ${files.keyName}: it does not belong to ${files.certName} (${which})`,
      {
        hint: "give the certificate of the CA that the key is of",
      },
    );
  }
  return { signer, all };
}

/** The signer, what issued it, and so on up; as far as the certificates are there. */
function chainAbove(signer: CertificateFacts, all: readonly CertificateFacts[]): CertificateFacts[] {
  const chain = [signer];
  while (!isSelfSigned(chain.at(-1)!) && chain.length < MAX_CHAIN) {
    const issuer = all.find((one) => !chain.includes(one) && isIssuedBy(chain.at(-1)!, one));
    if (issuer === undefined) break;
    chain.push(issuer);
  }
  return chain;
}

/** `below` is how many CAs stand between this one and a leaf. */
function checkLink(ca: CertificateFacts, below: number, name: string, { now, usages }: AuthorityNeeds): void {
  const refuse = (why: string, hint?: string) =>
    new PeerctlError("config", `Cannot use ${name} to sign: ${why} (subject ${ca.subject})`, hint ? { hint } : {});
  if (ca.isCa !== true) throw refuse("it is no CA: its basic constraints do not say CA:TRUE");
  if (ca.keyUsages !== undefined && !ca.keyUsages.includes("keyCertSign")) {
    throw refuse("its key usage does not allow to sign certificates");
  }
  if (now > ca.notAfter) {
    throw refuse(`the CA expired on ${ca.notAfter.toISOString()}`, "renew the CA first, or make a new set");
  }
  if (now < ca.notBefore) throw refuse(`the CA is not valid before ${ca.notBefore.toISOString()}`);
  if (ca.pathLength !== undefined && ca.pathLength < below) {
    throw refuse(`its path length ${ca.pathLength} does not allow the ${below} CA${below > 1 ? "s" : ""} below it`);
  }
  const allowed = ca.extendedKeyUsages;
  for (const usage of allowed === undefined || allowed.includes("anyExtendedKeyUsage") ? [] : usages) {
    if (!allowed!.includes(`${usage}Auth`)) {
      throw refuse(`its extended key usage does not allow ${usage} certificates`);
    }
  }
}

/** What `certgen verify`, stricter than checkLink(), has against a CA. */
function doubts(ca: CertificateFacts, below: number, { now, usages }: AuthorityNeeds): string[] {
  const reasons = [...issuerReasons(ca, below), ...usages.flatMap((usage) => commonReasons(ca, now, usage))];
  const messages = new Set(reasons.map(({ message }) => message));
  return [...messages].map((message) => `strict verifiers may refuse the CA ${ca.subject}: ${message}`);
}

function isSelfSigned(one: CertificateFacts): boolean {
  return isIssuedBy(one, one);
}

function isIssuedBy(one: CertificateFacts, issuer: CertificateFacts): boolean {
  return one.issuerDer === issuer.subjectDer && isSignedBy(one, issuer);
}

function pemOf({ der }: CertificateFacts): string {
  return encodePem("CERTIFICATE", der);
}
