// SPDX-License-Identifier: Apache-2.0
/** Checks the three files of one end of mutual TLS: as caa and apf do at start, and then as the other end will. */

import { PeerctlError } from "../errors.ts";
import { loadTlsFiles, readSmallBytes, type TlsFiles } from "../net/tls_files.ts";
import type { CertificateFacts } from "./certificates_facts.ts";
import { looseModeProblem } from "../os/private_file.ts";
import { expiryWarning } from "./expiry.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";
import type { ReasonCode } from "./verify_rules.ts";

export interface PairCheckOptions {
  /** The side of TLS that shows the certificate: apf is the server, caa the client. */
  readonly role: "server" | "client";
  /** The certificate must be for each of them. */
  readonly names?: readonly AlternativeName[];
  readonly now?: Date;
}

export interface CheckedPair {
  readonly leaf: CertificateFacts;
  /** What does not keep the program from starting, and may keep the other end from taking the certificate. */
  readonly warnings: readonly string[];
}

/** With these no peer ever takes the certificate; what else there is depends on what the peer trusts, and when. */
const HOPELESS: readonly ReasonCode[] = ["wrong-usage", "wrong-name", "leaf-is-ca"];

/**
 * Checks that all three files are there and usable together, for `role` and for the names.
 *
 * @throws {PeerctlError} kind "config": what caa and apf say at start, else why the other end can never take it.
 */
export async function checkTlsPair(files: TlsFiles, o: PairCheckOptions): Promise<CheckedPair> {
  const { role, names = [], now = new Date() } = o;
  if (loadTlsFiles(files, now).cert === undefined) {
    throw new PeerctlError("config", "Cannot check TLS files: none is given");
  }
  const { readCertificates } = await import("./certificates_read.ts");
  const { verifyCertificate } = await import("./verify_chain.ts");
  const certName = `certificate file "${files.certFile}"`, caName = `CA file "${files.caFile}"`;
  const [leaf, ...intermediates] = readCertificates(readSmallBytes(files.certFile, "certificate"), certName);
  const anchors = readCertificates(readSmallBytes(files.caFile, "CA"), caName);
  const { reasons } = verifyCertificate({ leaf, intermediates, anchors, partialChain: true, usage: role, names, now });
  const hopeless = reasons.filter(({ code }) => HOPELESS.includes(code));
  if (hopeless.length > 0) {
    const why = hopeless.map(({ certificate, message }) => `${message} (${certificate})`).join("; ");
    throw new PeerctlError("config", `Cannot use ${certName}: ${why}`);
  }
  const soon = (one: CertificateFacts, name: string) => {
    const warning = expiryWarning(one, now);
    return warning === undefined ? [] : [`${name}: ${warning} (${one.subject})`];
  };
  const mode = looseModeProblem(files.keyFile);
  return {
    leaf,
    warnings: [
      ...reasons.map(({ certificate, message }) => `a peer that trusts ${caName} refuses "${certificate}": ${message}`),
      ...soon(leaf, certName),
      ...anchors.flatMap((one) => soon(one, caName)),
      ...(mode === undefined ? [] : [`private key file "${files.keyFile}": ${mode}`]),
    ],
  };
}
