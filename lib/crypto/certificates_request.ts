// SPDX-License-Identifier: Apache-2.0
/** Reads a certificate signing request that is to be signed, and refuses one that must not be. */

import { PeerctlError } from "../errors.ts";
import { readRequest } from "./certificates_request_facts.ts";
import { copyNames } from "./copied_names.ts";
import { blockKind } from "./file_kind.ts";
import { keyFacts } from "./key_facts.ts";
import { KEY_TYPES, type KeyType, keyTypeOf } from "./keys.ts";
import { readPem } from "./pem.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** The second is what older programs of Microsoft and Netscape write (RFC 7468 section 7). */
const LABELS = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/** Longest subject taken over, in bytes: every certificate and many log lines repeat it. */
const MAX_SUBJECT_BYTES = 1024;

export interface SigningRequest {
  /** DER. */
  readonly subject: Uint8Array<ArrayBuffer>;
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
export function readSigningRequest(text: string, name: string): SigningRequest {
  const refuse = (why: string, hint?: string) =>
    new PeerctlError("config", `Cannot sign ${name}: ${why}`, hint === undefined ? {} : { hint });
  const blocks = readPem(text, name);
  const [first, ...more] = blocks.filter(({ label }) => LABELS.includes(label));
  if (first === undefined || more.length > 0) {
    const labels = [...new Set(blocks.map(({ label }) => blockKind(label)))].join(" and ");
    if (more.length > 0) throw refuse(`it holds ${more.length + 1} requests, one is needed`);
    throw refuse(
      labels === "" ? "it holds no PEM request" : `it holds no request but ${labels}`,
      "openssl req -new -key KEY -subj / -addext subjectAltName=DNS:NAME makes one",
    );
  }
  const { key, publicKey, subject, subjectDer, names, ...facts } = readRequest(first.der, name);
  const keyType = key && keyTypeOf(key);
  if (keyType === undefined) {
    const why = key === undefined ? "its public key cannot be read" : `its key is of type ${keyFacts(key).type}`;
    throw refuse(why, `use a key of type ${KEY_TYPES.join(", ")}`);
  }
  if (!facts.isSignedByItsKey) {
    throw refuse("its signature is not that of its own key", "only SHA-256 or better is taken; make the request anew");
  }
  if (facts.isCa === true || facts.keyUsages?.some((usage) => usage === "keyCertSign" || usage === "cRLSign")) {
    throw refuse("it asks to become a CA", "make the request without CA:TRUE, keyCertSign and cRLSign");
  }
  if (subjectDer.byteLength > MAX_SUBJECT_BYTES) {
    throw refuse(`its subject has ${subjectDer.byteLength} bytes, limit ${MAX_SUBJECT_BYTES}`);
  }
  // deno-lint-ignore no-control-regex -- control characters are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(subject)) throw refuse("its subject holds a control character");
  return { subject: subjectDer, publicKey, keyType, names: () => copyNames(names ?? [], name) };
}
