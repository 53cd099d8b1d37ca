// SPDX-License-Identifier: Apache-2.0
/** Finds out why a server's certificate was refused: the runtime says "cannot be verified" for most causes. */

import type { X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import { PeerctlError } from "../errors.ts";
import { whenConnected } from "./connecting.ts";
import { parseCertificates, subjectOf, validityProblem } from "./tls_credentials.ts";

/** Longest time for the second look, in milliseconds; the refusal stands, only its words depend on it. */
const EXPLAIN_TIMEOUT_MS = 5_000;

/** Codes by which the runtime refuses a server's certificate; its name is not among them, that one is told exactly. */
const VAGUE_CODES: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
]);

export interface ExplainOptions {
  /** Must not verify: the certificate is only looked at, and no byte is exchanged. */
  readonly connect: tls.ConnectionOptions;
  /** PEM text of what we trust. */
  readonly ca: string;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** True when `error` refuses the server's certificate in words that may be the wrong ones. */
export function isServerCertificateError(error: unknown): error is PeerctlError {
  if (!(error instanceof PeerctlError) || error.kind !== "auth") return false;
  return VAGUE_CODES.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? "");
}

/**
 * Connects once more without verification, reads the certificate and tells what is wrong with it.
 *
 * Needed because Deno 2.9.6 forgets a refused certificate, and has one code for an unknown CA, an expired certificate and
 * one for another purpose (measured). When the second look fails the first error is returned as it is.
 */
export async function explainServerCertificate(refusal: PeerctlError, o: ExplainOptions): Promise<PeerctlError> {
  const { what, signal } = o;
  const socket = tls.connect(o.connect);
  try {
    await whenConnected(socket, "secureConnect", { signal, timeoutMs: EXPLAIN_TIMEOUT_MS }, what);
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return refusal;
    const { why, hint } = judge(certificate, parseCertificates(o.ca, "the CA certificate"));
    return new PeerctlError("auth", `${what}: the server's certificate is refused: ${why}`, {
      hint,
      cause: refusal.cause,
    });
  } catch {
    return refusal;
  } finally {
    socket.destroy();
  }
}

function judge(certificate: X509Certificate, trusted: readonly X509Certificate[]): { why: string; hint: string } {
  const validity = validityProblem(certificate, new Date());
  // By name alone: checkIssued() compares key ids too, and so would not find a CA that was made anew.
  const issuers = trusted.filter((one) => one.subject === certificate.issuer);
  if (issuers.some((one) => certificate.verify(one.publicKey))) {
    return validity === undefined
      ? {
        why: `it is not made for servers (${subjectOf(certificate)})`,
        hint: "it needs the extended key usage serverAuth",
      }
      : { why: validity, hint: "renew it, or compare the clocks of both machines" };
  }
  if (issuers.length > 0) {
    return {
      why: `it was issued by another CA that has the same name as ours (${subjectOf(certificate)})`,
      hint: "the CA was made anew since; make the server's certificate anew, too",
    };
  }
  const issuer = certificate.issuer?.split("\n").join(", ") || "nobody";
  const ours = trusted.map(subjectOf).join("; ");
  return {
    why: `it was issued by "${issuer}", and the CA that we trust is another one (${ours})`,
    hint: "give the CA that issued the server's certificate (-ca-cert-file)",
  };
}
