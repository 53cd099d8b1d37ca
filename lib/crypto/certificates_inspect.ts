// SPDX-License-Identifier: Apache-2.0
/** Reads files of certificates, requests and keys into what may be shown of them: never a private key. */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import type { ExtensionFacts } from "./certificates_extensions.ts";
import { type CertificateFacts, readCertificate } from "./certificates_facts.ts";
import type { FoundName } from "./certificates_names.ts";
import { readRequest } from "./certificates_request_facts.ts";
import { daysLeft } from "./expiry.ts";
import { blockKind, fileKind, wrongKind } from "./file_kind.ts";
import { certificateWarnings, orderWarnings, type WarningOptions } from "./inspect_warnings.ts";
import { type KeyFacts, keyFacts } from "./key_facts.ts";
import { type PemBlock, readPem } from "./pem.ts";

/** One thing in a file, as `certgen inspect --output json` prints it; null stands for what is not in it. */
export type InspectedItem = InspectedCertificate | InspectedRequest | InspectedKey;

export interface InspectedKey {
  readonly kind: "private-key" | "public-key";
  readonly key: ShownKey;
  readonly warnings: readonly string[];
}

interface ShownKey {
  readonly type: string;
  readonly bits: number | null;
  /** SHA-256 of the public half: the same for a key and its certificate. */
  readonly sha256: string;
}

interface Contents {
  readonly subject: string;
  readonly names: readonly FoundName[];
  readonly key: ShownKey | null;
  readonly signature: string;
  readonly isCa: boolean;
  readonly pathLength: number | null;
  readonly keyUsages: readonly string[] | null;
  readonly extendedKeyUsages: readonly string[] | null;
  readonly warnings: readonly string[];
}

export interface InspectedRequest extends Contents {
  readonly kind: "request";
}

export interface InspectedCertificate extends Contents {
  readonly kind: "certificate";
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly daysLeft: number;
  readonly sha256: string;
}

export interface InspectedFile {
  readonly items: readonly InspectedItem[];
  /** About the file as a whole. */
  readonly warnings: readonly string[];
}

/** PEM blocks that stand before an EC key and say nothing that the key does not. */
const PASSED_OVER = ["EC PARAMETERS"];

/**
 * Reads PEM with any number of blocks, or one thing in DER.
 *
 * @throws {PeerctlError} kind "config" saying what it is when it is none of these; no text of the file is quoted.
 */
export async function inspectBytes(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  o: WarningOptions,
): Promise<InspectedFile> {
  const found = readPem(new TextDecoder().decode(bytes), name);
  const telling = found.filter(({ label }) => !PASSED_OVER.includes(label));
  const blocks = telling.length > 0 ? telling : found.length > 0 ? found : [derBlock(bytes, name)];
  const items: InspectedItem[] = [];
  const certificates: CertificateFacts[] = [];
  for (const [i, block] of blocks.entries()) {
    const which = blocks.length === 1 ? name : `block ${i + 1} of ${name}`;
    if (block.label === "CERTIFICATE") {
      const facts = readCertificate(block.der, which);
      certificates.push(facts);
      items.push(showCertificate(facts, o));
    } else items.push(await inspectBlock(block, which));
  }
  return { items, warnings: orderWarnings(certificates) };
}

/** Says which private keys belong to no certificate or request, when there are any of these. */
export function strayKeys(files: readonly InspectedFile[]): ReadonlySet<InspectedItem> {
  const items = files.flatMap((file) => file.items);
  const owners = items.filter(({ kind }) => kind === "certificate" || kind === "request");
  if (owners.length === 0) return new Set();
  const known = new Set(owners.map(({ key }) => key?.sha256));
  return new Set(items.filter(({ kind, key }) => kind === "private-key" && !known.has(key?.sha256)));
}

async function inspectBlock({ label, isEncrypted, text, der }: PemBlock, name: string): Promise<InspectedItem> {
  if (isEncrypted) throw wrongKind("look into", name, blockKind("ENCRYPTED PRIVATE KEY"));
  if (label === "CERTIFICATE REQUEST" || label === "NEW CERTIFICATE REQUEST") return await inspectRequest(der, name);
  if (/^(EC |RSA )?PRIVATE KEY$/.test(label)) return showKey("private-key", () => createPrivateKey(text), name);
  if (/^(RSA )?PUBLIC KEY$/.test(label)) return showKey("public-key", () => createPublicKey(text), name);
  throw wrongKind("look into", name, blockKind(label));
}

/** Makes a PEM block of a file in DER, as if it had been one. */
function derBlock(bytes: Uint8Array<ArrayBuffer>, name: string): PemBlock {
  const kind = fileKind(bytes);
  if (kind === "a certificate in DER") return { label: "CERTIFICATE", isEncrypted: false, der: bytes, text: "" };
  throw wrongKind("look into", name, kind);
}

function showKey(kind: InspectedKey["kind"], read: () => KeyObject, name: string): InspectedKey {
  let facts: KeyFacts;
  try {
    facts = keyFacts(read());
  } catch {
    // The cause is left out: an error must never quote a key.
    throw new PeerctlError("config", `Cannot look into ${name}: it is no key that can be read`);
  }
  return { kind, key: shownKey(facts), warnings: facts.problem === undefined ? [] : [facts.problem] };
}

function shownKey({ type, bits, sha256 }: KeyFacts): ShownKey {
  return { type, bits: bits ?? null, sha256 };
}

function showCertificate(facts: CertificateFacts, o: WarningOptions): InspectedCertificate {
  const { subject, issuer, serial, signature, notBefore, notAfter, sha256 } = facts;
  return {
    kind: "certificate",
    subject,
    issuer,
    serial: serial.replace(/^00(?=.)/, ""),
    ...shownContents(facts),
    key: facts.key === undefined ? null : shownKey(facts.key),
    signature: signature.name,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    daysLeft: daysLeft(facts, o.now),
    sha256,
    warnings: certificateWarnings(facts, o),
  };
}

function shownContents(facts: ExtensionFacts) {
  const { names = [], isCa = false, pathLength = null, keyUsages = null, extendedKeyUsages = null } = facts;
  return { names, isCa, pathLength, keyUsages, extendedKeyUsages };
}

function inspectRequest(der: Uint8Array<ArrayBuffer>, name: string): InspectedRequest {
  const facts = readRequest(der, name);
  const { subject, signature, names, problems } = facts;
  const key = facts.key && keyFacts(facts.key);
  return {
    kind: "request",
    subject,
    ...shownContents(facts),
    key: key === undefined ? null : shownKey(key),
    signature,
    warnings: [
      ...(facts.isSignedByItsKey ? [] : ["its signature is not that of its own key"]),
      ...(facts.isCa === true ? ["it asks to become a CA"] : []),
      ...(names === undefined ? ["it asks for no alternative name"] : []),
      ...(key === undefined ? ["its public key cannot be read"] : key.problem === undefined ? [] : [key.problem]),
      ...problems,
    ],
  };
}
