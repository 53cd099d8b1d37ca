// SPDX-License-Identifier: Apache-2.0
/** Issues X.509 certificates. Reach this file by `import()`, as all certificates*.ts: what reads ASN.1 takes time to load. */

import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate, type Extension, Name, SubjectKeyIdentifier, type TBSCertificate } from "@peculiar/asn1-x509";
import { createPrivateKey } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import {
  alternativeNames,
  authorityKeyId,
  basicConstraints,
  encodeName,
  extendedKeyUsage,
  keyId,
  keyUsage,
  signCertificate,
  type Signer,
  subjectKeyId,
} from "./certificates_encode.ts";
import { keyFacts } from "./key_facts.ts";
import { generateKeyPair, KEY_TYPES, type KeyPair, type KeyType, keyTypeOf } from "./keys.ts";
import { encodePem, readPem } from "./pem.ts";
import type { DistinguishedName } from "./subject.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** How far in the past certificates begin, in milliseconds: the peers' clocks may differ from ours. */
const BACKDATE_MS = 5 * 60_000;

/** The extensions by which a certificate names its own key and its issuer's. */
const SUBJECT_KEY_ID = "2.5.29.14", AUTHORITY_KEY_ID = "2.5.29.35";

/** PEM texts and the end of the certificate. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
  readonly notAfter: Date;
}

/** Who a certificate is of: attributes, or the DER of the name in another certificate or in a request. */
export type SubjectName = DistinguishedName | Uint8Array<ArrayBuffer>;

export interface CertificateRequest {
  readonly subject: SubjectName;
  readonly keyType: KeyType;
  /** Of `keyType`, made beforehand; made here if absent. */
  readonly keys?: KeyPair | undefined;
  readonly now: Date;
  /** Counted from `now`, in milliseconds. */
  readonly validMs: number;
}

interface Usage {
  readonly usage: "server" | "client";
  readonly names: readonly AlternativeName[];
}
export type LeafRequest = CertificateRequest & Usage;

/** For a key that is somebody else's. */
export interface PublicKeyRequest extends Omit<CertificateRequest, "keys">, Usage {
  /** DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

export interface Authority extends IssuedCertificate {
  /** Issues a certificate that lies within the authority's own validity. */
  issue(request: LeafRequest): Promise<IssuedCertificate>;
  /** The same for a public key. */
  certify(request: PublicKeyRequest): Pick<IssuedCertificate, "cert" | "notAfter">;
}

/** Makes a CA that issues leaves only (path length 0). */
export async function createAuthority(request: CertificateRequest): Promise<Authority> {
  const keys = request.keys ?? await generateKeyPair(request.keyType);
  const own = selfSign(request, keys, [basicConstraints(0), keyUsage("keyCertSign", "cRLSign")]);
  return openAuthority(own);
}

/**
 * Takes up a CA that was made earlier. That it is one, and valid, is for the caller to know. What it issues ends with it,
 * or at `latest`, if a CA above it ends before.
 *
 * @throws {PeerctlError} kind "config" for a key of a type that is not offered.
 */
export function openAuthority(own: Pick<IssuedCertificate, "cert" | "key">, latest?: Date): Authority {
  const { tbsCertificate: issuer } = parse(own.cert);
  const signer = signerOf(own.key);
  const keyIdOfIssuer = issuerKeyId(issuer);
  const notBefore = issuer.validity.notBefore.getTime(), ownEnd = issuer.validity.notAfter.getTime();
  const notAfter = latest !== undefined && latest < ownEnd ? latest : ownEnd;
  const authority: Authority = {
    ...own,
    notAfter,
    async issue(leaf) {
      const keys = leaf.keys ?? await generateKeyPair(leaf.keyType);
      return { ...authority.certify({ ...leaf, publicKey: keys.publicKey }), key: keys.privateKey };
    },
    certify(leaf) {
      const validity = validityOf(leaf, { notBefore, notAfter });
      const subject = nameOf(leaf.subject);
      const extensions = [
        basicConstraints(),
        leafKeyUsage(leaf.keyType),
        extendedKeyUsage(leaf.usage),
        subjectKeyId(keyId(leaf.publicKey)),
        authorityKeyId(keyIdOfIssuer),
        // Critical when it alone says who this is (RFC 5280 section 4.2.1.6).
        ...(leaf.names.length === 0 ? [] : [alternativeNames(leaf.names, subject.length === 0)]),
      ];
      const { publicKey } = leaf;
      const der = signCertificate({ ...validity, subject, issuer: issuer.subject, publicKey, extensions }, signer);
      return { cert: encodePem("CERTIFICATE", der), notAfter: validity.notAfter };
    },
  };
  return authority;
}

/**
 * Makes the certificate of a self-signed CA anew, with the same key, name and extensions, valid from now on. What was
 * issued under the old one verifies under the new one, and the other way round while the old one lasts.
 *
 * Only how it names its issuer, itself, is written anew: that may have been by the old one's serial number.
 */
export function renewAuthority(
  own: Pick<IssuedCertificate, "cert" | "key">,
  request: Pick<CertificateRequest, "now" | "validMs">,
): Authority {
  const { tbsCertificate: old } = parse(own.cert);
  const der = signCertificate({
    ...validityOf(request),
    subject: old.subject,
    issuer: old.subject,
    publicKey: new Uint8Array(AsnConvert.serialize(old.subjectPublicKeyInfo)),
    extensions: (old.extensions ?? []).map((one) =>
      one.extnID === AUTHORITY_KEY_ID ? authorityKeyId(issuerKeyId(old)) : one
    ),
  }, signerOf(own.key));
  return openAuthority({ cert: encodePem("CERTIFICATE", der), key: own.key });
}

/**
 * Makes a client certificate that is its own issuer and no CA: the peer trusts exactly this one by having it as its `ca`.
 * The key usage certSign is upstream's, whose servers then take it for a verification root.
 */
export async function createSelfSignedClient(request: CertificateRequest): Promise<IssuedCertificate> {
  const keys = request.keys ?? await generateKeyPair(request.keyType);
  const usages = [keyUsage("keyCertSign", "digitalSignature"), extendedKeyUsage("client")];
  return selfSign(request, keys, [basicConstraints(), ...usages]);
}

function selfSign(request: CertificateRequest, keys: KeyPair, extensions: readonly Extension[]): IssuedCertificate {
  const validity = validityOf(request);
  const name = nameOf(request.subject);
  const { publicKey, privateKey } = keys;
  const der = signCertificate({
    ...validity,
    subject: name,
    issuer: name,
    publicKey,
    extensions: [...extensions, subjectKeyId(keyId(publicKey))],
  }, signerOf(privateKey));
  return { cert: encodePem("CERTIFICATE", der), key: privateKey, notAfter: validity.notAfter };
}

/** Within that of the issuer, in whole seconds, for X.509 has no smaller ones. */
function validityOf(
  { now, validMs }: Pick<CertificateRequest, "now" | "validMs">,
  issuer?: { readonly notBefore: Date; readonly notAfter: Date },
): { notBefore: Date; notAfter: Date } {
  const seconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
  return {
    notBefore: seconds(Math.max(now.getTime() - BACKDATE_MS, issuer?.notBefore.getTime() ?? -Infinity)),
    notAfter: seconds(Math.min(now.getTime() + validMs, issuer?.notAfter.getTime() ?? Infinity)),
  };
}

/** RSA keys may also encrypt the session key of old handshakes; ECDSA keys cannot (RFC 8813 section 3). */
function leafKeyUsage(type: KeyType): Extension {
  return type.startsWith("rsa") ? keyUsage("digitalSignature", "keyEncipherment") : keyUsage("digitalSignature");
}

function nameOf(subject: SubjectName): Name {
  return subject instanceof Uint8Array ? AsnConvert.parse(subject, Name) : encodeName(subject);
}

/** As the issuer names its key, however it came to that; else the usual hash of it. */
function issuerKeyId(issuer: TBSCertificate): Uint8Array<ArrayBuffer> {
  const named = issuer.extensions?.find(({ extnID }) => extnID === SUBJECT_KEY_ID);
  if (named === undefined) return keyId(new Uint8Array(AsnConvert.serialize(issuer.subjectPublicKeyInfo)));
  return new Uint8Array(AsnConvert.parse(named.extnValue.buffer, SubjectKeyIdentifier).buffer);
}

function signerOf(pem: string): Signer {
  const key = createPrivateKey(pem);
  const keyType = keyTypeOf(key);
  if (keyType !== undefined) return { key, keyType };
  throw new PeerctlError("config", `Cannot sign with a key of type ${keyFacts(key).type}`, {
    hint: `use one of ${KEY_TYPES.join(", ")}`,
  });
}

function parse(pem: string): Certificate {
  const [block] = readPem(pem, "the CA certificate");
  if (block?.label !== "CERTIFICATE") throw new PeerctlError("config", "Cannot use the CA certificate: it is no PEM");
  return AsnConvert.parse(block.der, Certificate);
}
