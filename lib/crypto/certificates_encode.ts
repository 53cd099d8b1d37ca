// SPDX-License-Identifier: Apache-2.0
/** Encodes and signs X.509 certificates (RFC 5280). */

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
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from "@peculiar/asn1-x509";
import { createHash, type KeyObject, sign } from "node:crypto";
import type { KeyType } from "./keys.ts";
import type { AttributeType, DistinguishedName } from "./subject.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** Random bytes of a serial number: unguessable, and below the 20 octets of RFC 5280 section 4.1.2.2. */
const SERIAL_BYTES = 16;

/** Version 3 as it is written. */
const VERSION_3 = 2;

/** The numbers of attributes of names (RFC 5280 appendix A.1). */
export const ATTRIBUTES: Readonly<Record<AttributeType, string>> = {
  C: "2.5.4.6",
  ST: "2.5.4.8",
  L: "2.5.4.7",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  CN: "2.5.4.3",
};

const EXTENDED_USAGES = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

/**
 * How a CA with such a key signs: number and hash, null for none. The hash fits the curve (RFC 5480 section 4); RSA of up to
 * 4096 bits goes with SHA-256, as public CAs have it.
 */
const SIGNATURES: Readonly<Record<KeyType, readonly [oid: string, hash: string | null]>> = {
  "ecdsa-p256": ["1.2.840.10045.4.3.2", "sha256"],
  "ecdsa-p384": ["1.2.840.10045.4.3.3", "sha384"],
  "ed25519": ["1.3.101.112", null],
  "rsa-2048": ["1.2.840.113549.1.1.11", "sha256"],
  "rsa-3072": ["1.2.840.113549.1.1.11", "sha256"],
  "rsa-4096": ["1.2.840.113549.1.1.11", "sha256"],
};

export interface CertificateContents {
  readonly subject: Name;
  readonly issuer: Name;
  /** DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** Whole seconds. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Extension[];
}

export interface Signer {
  readonly key: KeyObject;
  readonly keyType: KeyType;
}

/** Encodes and signs one with a new random serial number; returns DER. */
export function signCertificate(contents: CertificateContents, signer: Signer): Uint8Array<ArrayBuffer> {
  const { subject, issuer, publicKey, notBefore, notAfter, extensions } = contents;
  const [oid, hash] = SIGNATURES[signer.keyType];
  // RSA signatures carry NULL (RFC 4055 section 5), the others no parameters (RFC 5758 section 3.2, RFC 8410 section 3).
  const isRsa = signer.keyType.startsWith("rsa");
  const algorithm = new AlgorithmIdentifier({ algorithm: oid, ...(isRsa && { parameters: null }) });
  const tbsCertificate = new TBSCertificate({
    version: VERSION_3,
    serialNumber: randomSerial().buffer,
    signature: algorithm,
    issuer,
    subject,
    validity: new Validity({ notBefore, notAfter }),
    subjectPublicKeyInfo: AsnConvert.parse(publicKey, SubjectPublicKeyInfo),
    extensions: new Extensions([...extensions]),
  });
  const signed = new Uint8Array(AsnSerializer.serialize(tbsCertificate));
  const signatureValue = new Uint8Array(sign(hash, signed, signer.key)).buffer;
  return new Uint8Array(
    AsnSerializer.serialize(new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue })),
  );
}

/** The country is a PrintableString, as RFC 5280 appendix A.1 wants it; all else may hold any character. */
export function encodeName(name: DistinguishedName): Name {
  return new Name(name.map(({ type, value }) => {
    const text = new AttributeValue(type === "C" ? { printableString: value } : { utf8String: value });
    return new RelativeDistinguishedName([new AttributeTypeAndValue({ type: ATTRIBUTES[type], value: text })]);
  }));
}

/** Without a path length it is no CA. */
export function basicConstraints(pathLength?: number): Extension {
  const value = pathLength === undefined ? { cA: false } : { cA: true, pathLenConstraint: pathLength };
  return extension("2.5.29.19", new BasicConstraints(value), true);
}

export function keyUsage(...names: (keyof typeof KeyUsageFlags)[]): Extension {
  return extension("2.5.29.15", new KeyUsage(names.reduce((flags, name) => flags | KeyUsageFlags[name], 0)), true);
}

export function extendedKeyUsage(usage: keyof typeof EXTENDED_USAGES): Extension {
  return extension("2.5.29.37", new ExtendedKeyUsage([EXTENDED_USAGES[usage]]), false);
}

/** SHA-1 of the key itself, as RFC 5280 section 4.2.1.2 proposes: a name for it, no protection. */
export function keyId(publicKey: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { subjectPublicKey } = AsnConvert.parse(publicKey, SubjectPublicKeyInfo);
  return new Uint8Array(createHash("sha1").update(new Uint8Array(subjectPublicKey)).digest());
}

export function subjectKeyId(id: Uint8Array<ArrayBuffer>): Extension {
  return extension("2.5.29.14", new SubjectKeyIdentifier(id), false);
}

export function authorityKeyId(id: Uint8Array<ArrayBuffer>): Extension {
  return extension("2.5.29.35", new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(id) }), false);
}

export function alternativeNames(names: readonly AlternativeName[], isCritical: boolean): Extension {
  const all = names.map(({ type, value }) => {
    switch (type) {
      case "dns":
        return new GeneralName({ dNSName: value });
      case "ip":
        return new GeneralName({ iPAddress: value });
      case "uri":
        return new GeneralName({ uniformResourceIdentifier: value });
    }
  });
  return extension("2.5.29.17", new SubjectAlternativeName(all), isCritical);
}

function extension(oid: string, value: unknown, critical: boolean): Extension {
  return new Extension({ extnID: oid, critical, extnValue: new OctetString(AsnSerializer.serialize(value)) });
}

/** A positive DER integer: a zero byte goes before a first byte that would make it negative. */
function randomSerial(): Uint8Array<ArrayBuffer> {
  const bytes = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  if (bytes[0] === 0) return randomSerial();
  return bytes[0]! > 0x7f ? new Uint8Array([0, ...bytes]) : bytes;
}
