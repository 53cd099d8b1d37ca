// SPDX-License-Identifier: Apache-2.0
/** Reads the certificates of a PEM file, strictly. */

import { type CertificateFacts, readCertificate } from "./certificates_facts.ts";
import { blockKind, fileKind, wrongKind } from "./file_kind.ts";
import { readPem } from "./pem.ts";

/**
 * Reads every certificate of a file; keys beside them are passed over.
 *
 * @throws {PeerctlError} kind "config" when there is none, naming what is there, or when one cannot be read.
 */
export function readCertificates(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): [CertificateFacts, ...CertificateFacts[]] {
  const blocks = readPem(new TextDecoder().decode(bytes), name);
  const [first, ...rest] = blocks.filter(({ label }) => label === "CERTIFICATE").map(({ der }, i) =>
    readCertificate(der, `certificate ${i + 1} of ${name}`)
  );
  if (first !== undefined) return [first, ...rest];
  throw wrongKind("use", name, blocks[0] === undefined ? fileKind(bytes) : blockKind(blocks[0].label));
}
