// SPDX-License-Identifier: Apache-2.0
/** Issues X.509 certificates. Reach this file by `import()`, as all certificates*.ts: @peculiar/x509 takes 130 ms to load. */

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "./certificates_x509.ts";
import { createPrivateKey } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import {
  encodePrivateKey,
  generateKeyPair,
  importPrivateKey,
  KEY_TYPES,
  type KeyType,
  keyTypeOf,
  signingAlgorithm,
} from "./keys.ts";
import { keyFacts } from "./key_facts.ts";
import { encodePem } from "./pem.ts";
import type { DistinguishedName } from "./subject.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** How far in the past certificates begin, in milliseconds: the peers' clocks may differ from ours. */
const BACKDATE_MS = 5 * 60_000;

/** Random bytes of a serial number: unguessable, and below the 20 octets of RFC 5280 section 4.1.2.2. */
const SERIAL_BYTES = 16;

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
  readonly keys?: CryptoKeyPair | undefined;
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
  certify(request: PublicKeyRequest): Promise<Pick<IssuedCertificate, "cert" | "notAfter">>;
}

/** Makes a CA that issues leaves only (path length 0). */
export async function createAuthority(request: CertificateRequest): Promise<Authority> {
  const keys = await keysOf(request);
  const own = await selfSign(request, keys, [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ]);
  return authorityOf(own, new X509Certificate(own.cert), keys.privateKey, request.keyType);
}

/**
 * Takes up a CA that was made earlier. That it is one, and valid, is for the caller to know.
 *
 * @throws {PeerctlError} kind "config" for a key of a type that is not offered.
 */
export async function openAuthority(own: Pick<IssuedCertificate, "cert" | "key">): Promise<Authority> {
  const certificate = new X509Certificate(own.cert);
  const { privateKey, keyType } = await signingKey(own.key);
  return authorityOf({ ...own, notAfter: certificate.notAfter }, certificate, privateKey, keyType);
}

/**
 * Makes the certificate of a self-signed CA anew, with the same key, name and extensions, valid from now on. What was
 * issued under the old one verifies under the new one, and the other way round while the old one lasts.
 */
export async function renewAuthority(
  own: Pick<IssuedCertificate, "cert" | "key">,
  request: Pick<CertificateRequest, "now" | "validMs">,
): Promise<Authority> {
  const old = new X509Certificate(own.cert);
  const { privateKey, keyType } = await signingKey(own.key);
  const validity = validityOf(request);
  const renewed = await X509CertificateGenerator.create({
    ...validity,
    serialNumber: randomSerial(),
    subject: old.subjectName,
    issuer: old.subjectName,
    publicKey: old.publicKey,
    signingKey: privateKey,
    signingAlgorithm: signingAlgorithm(keyType),
    extensions: old.extensions,
  });
  const issued = { cert: toPem(renewed), key: own.key, notAfter: validity.notAfter };
  return authorityOf(issued, renewed, privateKey, keyType);
}

async function signingKey(pem: string): Promise<{ privateKey: CryptoKey; keyType: KeyType }> {
  const key = createPrivateKey(pem);
  const keyType = keyTypeOf(key);
  if (keyType === undefined) {
    throw new PeerctlError("config", `Cannot sign with a key of type ${keyFacts(key).type}`, {
      hint: `use one of ${KEY_TYPES.join(", ")}`,
    });
  }
  return { privateKey: await importPrivateKey(keyType, pem), keyType };
}

function authorityOf(
  own: IssuedCertificate,
  issuer: X509Certificate,
  signingKey: CryptoKey,
  keyType: KeyType,
): Authority {
  const authority: Authority = {
    ...own,
    async issue(leaf) {
      const keys = await keysOf(leaf);
      const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
      const { cert, notAfter } = await authority.certify({ ...leaf, publicKey });
      return { cert, notAfter, key: await encodePrivateKey(keys.privateKey) };
    },
    async certify(leaf) {
      const validity = validityOf(leaf, issuer);
      const subject = encodeName(leaf.subject);
      const certificate = await X509CertificateGenerator.create({
        ...validity,
        serialNumber: randomSerial(),
        subject,
        issuer: issuer.subjectName,
        publicKey: leaf.publicKey,
        signingKey,
        signingAlgorithm: signingAlgorithm(keyType),
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(leafKeyUsage(leaf.keyType), true),
          usageExtension(leaf.usage),
          await SubjectKeyIdentifierExtension.create(leaf.publicKey),
          await issuerKeyId(issuer),
          // Critical when it alone says who this is (RFC 5280 section 4.2.1.6).
          ...(leaf.names.length === 0
            ? []
            : [new SubjectAlternativeNameExtension(generalNames(leaf.names), isEmpty(subject))]),
        ],
      });
      return { cert: toPem(certificate), notAfter: validity.notAfter };
    },
  };
  return authority;
}

/** As the issuer names its key, however it came to that; else the usual hash of it. */
async function issuerKeyId(issuer: X509Certificate): Promise<AuthorityKeyIdentifierExtension> {
  const id = issuer.getExtension(SubjectKeyIdentifierExtension)?.keyId;
  return id === undefined
    ? await AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    : new AuthorityKeyIdentifierExtension(id);
}

/**
 * Makes a client certificate that is its own issuer and no CA: the peer trusts exactly this one by having it as its `ca`.
 * The key usage certSign is upstream's, whose servers then take it for a verification root.
 */
export async function createSelfSignedClient(request: CertificateRequest): Promise<IssuedCertificate> {
  const keys = await keysOf(request);
  return await selfSign(request, keys, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
    usageExtension("client"),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ]);
}

async function selfSign(
  request: CertificateRequest,
  keys: CryptoKeyPair,
  extensions: Extension[],
): Promise<IssuedCertificate> {
  const validity = validityOf(request);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: randomSerial(),
    name: encodeName(request.subject),
    keys,
    signingAlgorithm: signingAlgorithm(request.keyType),
    extensions,
  });
  return { cert: toPem(certificate), key: await encodePrivateKey(keys.privateKey), notAfter: validity.notAfter };
}

async function keysOf({ keys, keyType }: CertificateRequest): Promise<CryptoKeyPair> {
  return keys ?? await generateKeyPair(keyType);
}

function toPem(certificate: X509Certificate): string {
  return encodePem("CERTIFICATE", new Uint8Array(certificate.rawData));
}

/** Within that of the issuer, in whole seconds, for X.509 has no smaller ones. */
function validityOf(
  { now, validMs }: Pick<CertificateRequest, "now" | "validMs">,
  issuer?: X509Certificate,
): { notBefore: Date; notAfter: Date } {
  const seconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
  return {
    notBefore: seconds(Math.max(now.getTime() - BACKDATE_MS, issuer?.notBefore.getTime() ?? -Infinity)),
    notAfter: seconds(Math.min(now.getTime() + validMs, issuer?.notAfter.getTime() ?? Infinity)),
  };
}

/** RSA keys may also encrypt the session key of old handshakes; ECDSA keys cannot (RFC 8813 section 3). */
function leafKeyUsage(type: KeyType): KeyUsageFlags {
  const flags = KeyUsageFlags.digitalSignature;
  return type.startsWith("rsa") ? flags | KeyUsageFlags.keyEncipherment : flags;
}

function usageExtension(usage: "server" | "client"): ExtendedKeyUsageExtension {
  return new ExtendedKeyUsageExtension([
    usage === "server" ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
  ]);
}

/** A positive DER integer in hexadecimal: a zero byte goes before a first byte that would make it negative. */
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  if (bytes[0] === 0) return randomSerial();
  return (bytes[0]! > 0x7f ? "00" : "") + bytes.toHex();
}

/** The country is a PrintableString, as RFC 5280 appendix A.1 wants it; all else may hold any character. */
function encodeName(name: SubjectName): Name {
  if (name instanceof Uint8Array) return new Name(name);
  return new Name(name.map(({ type, value }) => ({
    [type]: type === "C" ? [{ printableString: value }] : [{ utf8String: value }],
  })));
}

function isEmpty(name: Name): boolean {
  return name.toJSON().length === 0;
}

function generalNames(names: readonly AlternativeName[]): JsonGeneralNames {
  return names.map(({ type, value }) => ({ type: type === "uri" ? "url" as const : type, value }));
}
