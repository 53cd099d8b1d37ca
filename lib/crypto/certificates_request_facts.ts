// SPDX-License-Identifier: Apache-2.0
/** Reads a certificate signing request (PKCS#10, RFC 2986) strictly into facts, and checks that its sender has the key. */

import { CertificationRequest } from "@peculiar/asn1-csr";
import { AsnSerializer } from "@peculiar/asn1-schema";
import { Extensions, type Name } from "@peculiar/asn1-x509";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import { ATTRIBUTES } from "./certificates_encode.ts";
import { type ExtensionFacts, readDer, readExtensions } from "./certificates_extensions.ts";
import { SIGNATURES } from "./certificates_facts.ts";

/** The attribute in which a request asks for extensions (RFC 2985 section 5.4.2). */
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

/** Short names of attributes in subjects (RFC 4514 section 3), by number; others are shown by number. */
const SHORT_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(ATTRIBUTES).map(([name, oid]) => [oid, name]),
);

export interface RequestFacts extends ExtensionFacts {
  /** On one line, in the order of the request; "" when it has none. */
  readonly subject: string;
  readonly subjectDer: Uint8Array<ArrayBuffer>;
  /** DER (SubjectPublicKeyInfo), and as the runtime reads it; undefined for a key that it cannot read. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly key: KeyObject | undefined;
  readonly signature: string;
  /** False as well for signatures with a hash that is not taken any more. */
  readonly isSignedByItsKey: boolean;
}

/** @throws {PeerctlError} kind "config" when it is no request in DER; the message goes on from "Cannot use `name`: ". */
export function readRequest(der: Uint8Array<ArrayBuffer>, name: string): RequestFacts {
  const refuse = () => new PeerctlError("config", `Cannot use ${name}: it cannot be read as a request`);
  const request = readDer(der.slice().buffer, CertificationRequest);
  if (request?.certificationRequestInfoRaw === undefined) throw refuse();
  const { subject, subjectPKInfo, attributes } = request.certificationRequestInfo;
  const asked = attributes.filter(({ type }) => type === EXTENSION_REQUEST).flatMap(({ values }) => values);
  const extensions = asked.map((value) => readDer(value, Extensions));
  if (extensions.includes(undefined)) throw refuse();
  const publicKey = new Uint8Array(AsnSerializer.serialize(subjectPKInfo));
  const key = readKey(publicKey);
  const { algorithm } = request.signatureAlgorithm;
  const signature = SIGNATURES[algorithm];
  const signed = new Uint8Array(request.certificationRequestInfoRaw), value = new Uint8Array(request.signature);
  return {
    ...readExtensions(extensions.flatMap((list) => [...list!])),
    subject: textOf(subject),
    subjectDer: new Uint8Array(AsnSerializer.serialize(subject)),
    publicKey,
    key,
    signature: signature?.name ?? algorithm,
    isSignedByItsKey: key !== undefined && signature?.hash !== undefined && key.asymmetricKeyType === signature.key &&
      verifies(() => verify(signature.hash, signed, key, value)),
  };
}

function readKey(publicKey: Uint8Array<ArrayBuffer>): KeyObject | undefined {
  try {
    return createPublicKey({ key: publicKey as unknown as Buffer, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

/** The runtime throws on some signatures that are none. */
function verifies(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

function textOf(name: Name): string {
  const attributes = name.flatMap((part) => [...part]);
  return attributes.map(({ type, value }) => `${SHORT_NAMES[type] ?? type}=${value.toString()}`).join(", ");
}
