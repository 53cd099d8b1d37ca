// SPDX-License-Identifier: Apache-2.0
/** Makes certificates that nobody should make: any extension, date, algorithm or byte can be wrong, the signature right. */

import { AsnConvert, AsnSerializer, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from "@peculiar/asn1-x509";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** Key usages as bits of asn1-x509's KeyUsage. */
export const USAGE = { digitalSignature: 1, keyEncipherment: 4, keyCertSign: 32, cRLSign: 64 } as const;

export const EXTENDED = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2", any: "2.5.29.37.0" } as const;

export type OddKeyType = "ecdsa-p256" | "ecdsa-p384" | "ed25519" | "rsa-2048" | "rsa-1024";

/** A key pair, and how a CA with it signs unless told otherwise. */
export interface OddKeys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** Number and hash of a signature; null hashes nothing beforehand. */
  readonly signature: readonly [oid: string, hash: string | null];
  /** SHA-1 of the public key, as most programs name keys. */
  readonly id: Uint8Array<ArrayBuffer>;
}

/** Signatures that are not taken any more. */
export const SHA1_RSA = ["1.2.840.113549.1.1.5", "sha1"] as const;
export const SHA1_ECDSA = ["1.2.840.10045.4.1", "sha1"] as const;

export function makeKeys(type: OddKeyType): OddKeys {
  switch (type) {
    case "ecdsa-p256":
      return keys(generateKeyPairSync("ec", { namedCurve: "P-256" }), ["1.2.840.10045.4.3.2", "sha256"]);
    case "ecdsa-p384":
      return keys(generateKeyPairSync("ec", { namedCurve: "P-384" }), ["1.2.840.10045.4.3.3", "sha384"]);
    case "ed25519":
      return keys(generateKeyPairSync("ed25519"), ["1.3.101.112", null]);
    default: {
      const modulusLength = Number(type.slice("rsa-".length));
      return keys(generateKeyPairSync("rsa", { modulusLength }), ["1.2.840.113549.1.1.11", "sha256"]);
    }
  }
}

function keys(
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  signature: readonly [string, string | null],
): OddKeys {
  const spki = pair.publicKey.export({ type: "spki", format: "der" });
  return { ...pair, signature, id: new Uint8Array(createHash("sha1").update(spki).digest()) };
}

export interface OddCertificate {
  readonly subject: string;
  /** The subject if absent. */
  readonly issuer?: string;
  readonly keys: OddKeys;
  readonly signer: OddKeys;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Extension[];
  readonly signature?: readonly [oid: string, hash: string | null];
  /** As written: 2 is version 3. */
  readonly version?: number;
  readonly serial?: Uint8Array<ArrayBuffer>;
  /** Changes the signed part before it is signed; it must keep its length. */
  editSigned?(der: Uint8Array<ArrayBuffer>): void;
  /** Changes the finished certificate. */
  edit?(der: Uint8Array<ArrayBuffer>): void;
}

/** Encodes and signs one; returns DER. */
export function makeOddCertificate(o: OddCertificate): Uint8Array<ArrayBuffer> {
  const [oid, hash] = o.signature ?? o.signer.signature;
  const algorithm = new AlgorithmIdentifier({
    algorithm: oid,
    ...(oid.startsWith("1.2.840.113549.") && { parameters: null }),
  });
  const tbs = new TBSCertificate({
    version: o.version ?? 2,
    serialNumber: (o.serial ?? positive(crypto.getRandomValues(new Uint8Array(8)))).buffer,
    signature: algorithm,
    issuer: nameOf(o.issuer ?? o.subject),
    subject: nameOf(o.subject),
    validity: new Validity({ notBefore: wholeSecond(o.notBefore), notAfter: wholeSecond(o.notAfter) }),
    subjectPublicKeyInfo: AsnConvert.parse(
      o.keys.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    ...(o.extensions.length > 0 && { extensions: new Extensions([...o.extensions]) }),
  });
  const plain = new Uint8Array(AsnSerializer.serialize(tbs));
  const signed = plain.slice();
  o.editSigned?.(signed);
  const signatureValue = new Uint8Array(sign(hash, signed, o.signer.privateKey)).buffer;
  const certificate = new Uint8Array(
    AsnSerializer.serialize(new Certificate({ tbsCertificate: tbs, signatureAlgorithm: algorithm, signatureValue })),
  );
  certificate.set(signed, certificate.toHex().indexOf(plain.toHex()) / 2);
  o.edit?.(certificate);
  return certificate;
}

/** A name with one attribute; bytes are taken for its encoded value, "" makes a name without any. */
export function nameOf(commonName: string | Uint8Array<ArrayBuffer>): Name {
  if (commonName === "") return new Name();
  const value = new AttributeValue(
    typeof commonName === "string" ? { utf8String: commonName } : { anyValue: commonName.buffer },
  );
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: "2.5.4.3", value })])]);
}

export function extension(oid: string, value: unknown, critical = false): Extension {
  return new Extension({ extnID: oid, critical, extnValue: new OctetString(AsnSerializer.serialize(value)) });
}

export const basicConstraints = (cA: boolean, pathLenConstraint?: number, critical = true): Extension =>
  extension(
    "2.5.29.19",
    new BasicConstraints({ cA, ...(pathLenConstraint !== undefined && { pathLenConstraint }) }),
    critical,
  );

export const keyUsage = (bits: number, critical = true): Extension =>
  extension("2.5.29.15", new KeyUsage(bits), critical);

/** A key usage as it is given, a BIT STRING in DER or nearly so. */
export const keyUsageBytes = (der: readonly number[]): Extension =>
  new Extension({ extnID: "2.5.29.15", critical: true, extnValue: new OctetString(new Uint8Array(der).buffer) });

export const extendedKeyUsage = (...oids: string[]): Extension => extension("2.5.29.37", new ExtendedKeyUsage(oids));

export const subjectKeyId = (id: Uint8Array<ArrayBuffer>, critical = false): Extension =>
  extension("2.5.29.14", new SubjectKeyIdentifier(id), critical);

export const authorityKeyId = (id: Uint8Array<ArrayBuffer>, critical = false): Extension =>
  extension("2.5.29.35", new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(id) }), critical);

export const alternativeNames = (names: readonly Partial<GeneralName>[], critical = false): Extension =>
  extension("2.5.29.17", new SubjectAlternativeName(names.map((name) => new GeneralName(name))), critical);

function wholeSecond(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}

/** Keeps a serial number from being negative, and from beginning with a zero that DER has not. */
function positive(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}
