// SPDX-License-Identifier: Apache-2.0
/** Issues X.509 certificates. The only importer of @peculiar/x509, which takes 130 ms: reach this file by `import()`. */

// The polyfill comes first: @peculiar/x509 refuses to load without it.
import "reflect-metadata";
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
} from "@peculiar/x509";
import { encodePrivateKey, generateKeyPair, importPrivateKey, type KeyType, signingAlgorithm } from "./keys.ts";
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

export interface CertificateRequest {
  readonly subject: DistinguishedName;
  readonly keyType: KeyType;
  readonly now: Date;
  /** Counted from `now`, in milliseconds. */
  readonly validMs: number;
}

export interface LeafRequest extends CertificateRequest {
  readonly usage: "server" | "client";
  readonly names: readonly AlternativeName[];
}

export interface Authority extends IssuedCertificate {
  /** Issues a certificate that ends no later than the authority's own. */
  issue(request: LeafRequest): Promise<IssuedCertificate>;
}

/** Makes a CA that issues leaves only (path length 0). */
export async function createAuthority(request: CertificateRequest): Promise<Authority> {
  const keys = await generateKeyPair(request.keyType);
  const own = await selfSign(request, keys, [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ]);
  return authorityOf(own, keys, request);
}

/** Takes up a CA that `createAuthority` made earlier, with the same key type and subject. */
export async function openAuthority(
  own: Pick<IssuedCertificate, "cert" | "key">,
  request: Pick<CertificateRequest, "keyType" | "subject">,
): Promise<Authority> {
  const certificate = new X509Certificate(own.cert);
  const keys = {
    privateKey: await importPrivateKey(request.keyType, own.key),
    publicKey: await certificate.publicKey.export(),
  };
  return authorityOf({ ...own, notAfter: certificate.notAfter }, keys, request);
}

function authorityOf(
  own: IssuedCertificate,
  keys: CryptoKeyPair,
  request: Pick<CertificateRequest, "keyType" | "subject">,
): Authority {
  return {
    ...own,
    async issue(leaf) {
      const leafKeys = await generateKeyPair(leaf.keyType);
      const validity = validityOf(leaf, own.notAfter);
      const certificate = await X509CertificateGenerator.create({
        ...validity,
        serialNumber: randomSerial(),
        subject: encodeName(leaf.subject),
        issuer: encodeName(request.subject),
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: signingAlgorithm(request.keyType),
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(leafKeyUsage(leaf.keyType), true),
          usageExtension(leaf.usage),
          await SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
          await AuthorityKeyIdentifierExtension.create(keys.publicKey),
          new SubjectAlternativeNameExtension(generalNames(leaf.names)),
        ],
      });
      return await issued(certificate.rawData, leafKeys, validity.notAfter);
    },
  };
}

/**
 * Makes a client certificate that is its own issuer and no CA: the peer trusts exactly this one by having it as its `ca`.
 * The key usage certSign is upstream's, whose servers then take it for a verification root.
 */
export async function createSelfSignedClient(request: CertificateRequest): Promise<IssuedCertificate> {
  const keys = await generateKeyPair(request.keyType);
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
  return await issued(certificate.rawData, keys, validity.notAfter);
}

async function issued(der: ArrayBuffer, keys: CryptoKeyPair, notAfter: Date): Promise<IssuedCertificate> {
  return {
    cert: encodePem("CERTIFICATE", new Uint8Array(der)),
    key: await encodePrivateKey(keys.privateKey),
    notAfter,
  };
}

/** Whole seconds, for X.509 has no smaller ones. */
function validityOf(
  { now, validMs }: CertificateRequest,
  latest: Date = new Date(8.64e15),
): { notBefore: Date; notAfter: Date } {
  const seconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
  return {
    notBefore: seconds(now.getTime() - BACKDATE_MS),
    notAfter: seconds(Math.min(now.getTime() + validMs, latest.getTime())),
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
function encodeName(name: DistinguishedName): Name {
  return new Name(name.map(({ type, value }) => ({
    [type]: type === "C" ? [{ printableString: value }] : [{ utf8String: value }],
  })));
}

function generalNames(names: readonly AlternativeName[]): JsonGeneralNames {
  return names.map(({ type, value }) => ({ type: type === "uri" ? "url" as const : type, value }));
}
