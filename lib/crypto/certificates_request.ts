// SPDX-License-Identifier: Apache-2.0
/** Reads a certificate signing request (PKCS#10, RFC 2986), and refuses one that must not be signed. */

import { AsnParser } from "@peculiar/asn1-schema";
import { Extension } from "@peculiar/asn1-x509";
import { Pkcs10CertificateRequest } from "./certificates_x509.ts";
import { createPublicKey } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import { readExtensions } from "./certificates_extensions.ts";
import { copyNames } from "./copied_names.ts";
import { keyFacts } from "./key_facts.ts";
import { KEY_TYPES, type KeyType, keyTypeOf } from "./keys.ts";
import { readPem } from "./pem.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** The second is what older programs of Microsoft and Netscape write (RFC 7468 section 7). */
const LABELS = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/** Longest subject taken over, in bytes: every certificate and many log lines repeat it. */
const MAX_SUBJECT_BYTES = 1024;

/** Hashes of a signature that is taken; Ed25519 has its own. */
const HASHES = ["SHA-256", "SHA-384", "SHA-512"];

export interface SigningRequest {
  /** DER. */
  readonly subject: Uint8Array<ArrayBuffer>;
  readonly hasSubject: boolean;
  /** DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly keyType: KeyType;
  /** The alternative names that it asks for; nothing else that it asks for is ever granted. */
  names(): AlternativeName[];
}

/**
 * Reads the one request of a PEM text and checks that its sender has the key.
 *
 * @throws {PeerctlError} kind "config" when there is not exactly one, it cannot be read, its signature is wrong, its key is
 * of a type that is not offered, or it asks to become a CA; from `names()`, when it asks for names that no certificate of
 * ours carries.
 */
export async function readSigningRequest(text: string, name: string): Promise<SigningRequest> {
  const refuse = (why: string, hint?: string, cause?: unknown) =>
    new PeerctlError("config", `Cannot sign ${name}: ${why}`, { cause, ...(hint !== undefined && { hint }) });
  const blocks = readPem(text, name);
  const requests = blocks.filter(({ label }) => LABELS.includes(label));
  if (requests.length !== 1) {
    const labels = [...new Set(blocks.map(({ label }) => label))].join(", ");
    if (requests.length > 1) throw refuse(`it holds ${requests.length} requests, one is needed`);
    throw refuse(
      labels === "" ? "it holds no PEM request" : `it holds no request but ${labels}`,
      "openssl req -new -key KEY -subj / -addext subjectAltName=DNS:NAME makes one",
    );
  }
  let request: Pkcs10CertificateRequest, isGenuine: boolean;
  try {
    request = new Pkcs10CertificateRequest(requests[0]!.der);
  } catch (cause) {
    throw refuse("it cannot be read as a request", undefined, cause);
  }
  const publicKey = new Uint8Array(request.publicKey.rawData);
  const keyType = typeOf(publicKey, refuse);
  try {
    const { name: algorithm, hash } = request.signatureAlgorithm;
    isGenuine = (algorithm === "Ed25519" || HASHES.includes(hash?.name ?? "")) && await request.verify();
  } catch {
    isGenuine = false;
  }
  if (!isGenuine) {
    throw refuse("its signature is not that of its own key", "only SHA-256 or better is taken; make the request anew");
  }
  const { isCa, keyUsages = [], names } = readExtensions(
    request.extensions.map(({ rawData }) => AsnParser.parse(rawData, Extension)),
  );
  if (isCa === true || keyUsages.includes("keyCertSign") || keyUsages.includes("cRLSign")) {
    throw refuse("it asks to become a CA", "make the request without CA:TRUE, keyCertSign and cRLSign");
  }
  const subject = new Uint8Array(request.subjectName.toArrayBuffer());
  if (subject.byteLength > MAX_SUBJECT_BYTES) {
    throw refuse(`its subject has ${subject.byteLength} bytes, limit ${MAX_SUBJECT_BYTES}`);
  }
  // deno-lint-ignore no-control-regex -- control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(request.subject)) throw refuse("its subject holds a control character");
  return {
    subject,
    hasSubject: request.subjectName.toJSON().length > 0,
    publicKey,
    keyType,
    names: () => copyNames(names ?? [], name),
  };
}

function typeOf(publicKey: Uint8Array<ArrayBuffer>, refuse: (why: string, hint?: string) => PeerctlError): KeyType {
  let key;
  try {
    key = createPublicKey({ key: publicKey as unknown as Buffer, format: "der", type: "spki" });
  } catch {
    throw refuse("its public key cannot be read", `use a key of type ${KEY_TYPES.join(", ")}`);
  }
  const type = keyTypeOf(key);
  if (type === undefined) {
    throw refuse(`its key is of type ${keyFacts(key).type}`, `use a key of type ${KEY_TYPES.join(", ")}`);
  }
  return type;
}
