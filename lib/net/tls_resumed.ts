// SPDX-License-Identifier: Apache-2.0
/** Finds out whether a client whose TLS session was resumed is one that the CA certificates of now let in. */

import type { X509Certificate } from "node:crypto";

/** Most certificates looked at between a client's and the CA. */
const MAX_CHAIN = 10;

/**
 * True if `certificate` or one that issued it is in `trusted`, or issued by one that is.
 *
 * Needed because Deno 2.9.6 keeps one store of sessions for all TLS servers of a process, and a resumed session skips
 * the verifier (measured): a client that was let in once is let in again for hours, `authorized`, by every other server
 * and after the CA was replaced. What else the verifier looks at, it saw when the session began.
 *
 * @param certificate the client's, as TLSSocket.getPeerX509Certificate() gives it: with the chain that it sent.
 */
export function isStillTrusted(certificate: X509Certificate, trusted: readonly X509Certificate[]): boolean {
  let one: X509Certificate = certificate;
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const current = one;
    if (trusted.some((ca) => ca.fingerprint256 === current.fingerprint256 || isIssuedBy(current, ca))) return true;
    const issuer = one.issuerCertificate;
    if (issuer === undefined || !issuer.ca || !isIssuedBy(one, issuer)) return false;
    one = issuer;
  }
  return false;
}

/** By name and signature, not checkIssued(): that compares key ids, too, and so would not know a CA made anew. */
function isIssuedBy(certificate: X509Certificate, ca: X509Certificate): boolean {
  return certificate.issuer === ca.subject && certificate.verify(ca.publicKey);
}
