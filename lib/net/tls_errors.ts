// SPDX-License-Identifier: Apache-2.0
/** Turns what the TLS runtime reports into words and into the one question that matters: can another try help? */

import { PeerctlError } from "../errors.ts";
import { describeFailure, PEER_FAILURES } from "./connecting.ts";

/** What went wrong, ready for `Cannot <action> <object>: <why>`. */
export interface TlsFailure {
  /** "auth": one side refuses the other, another try ends the same; "peer": it may go better next time. */
  readonly kind: "auth" | "peer";
  readonly why: string;
  readonly hint?: string;
}

const OUR_CERTIFICATE_HINT = "the peer must trust the CA of our certificate (-ca-cert-file there, -cert-file here)";
const VERSION_HINT = "compare -tls-min-version and -tls-cipher-suites on both sides";

/**
 * Alerts from the peer, by rustls' name for them, which Deno 2.9.6 puts behind "received fatal alert: ". The code beside
 * it is no use: several alerts share ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE. Measured against Deno, openssl 3.0 and Go.
 */
const ALERTS: Readonly<Record<string, TlsFailure>> = {
  CertificateRequired: auth("the peer wants a client certificate and we sent none", "give -cert-file and -cert-key"),
  BadCertificate: auth("the peer refuses our certificate", OUR_CERTIFICATE_HINT),
  UnsupportedCertificate: auth("the peer refuses our certificate: it is not made for this use"),
  CertificateRevoked: auth("the peer refuses our certificate: it is revoked"),
  CertificateExpired: auth(
    "the peer refuses our certificate: it is expired or not yet valid",
    "renew it, or compare the clocks of both machines",
  ),
  CertificateUnknown: auth("the peer refuses our certificate", OUR_CERTIFICATE_HINT),
  UnknownCA: auth("the peer does not know the CA of our certificate", OUR_CERTIFICATE_HINT),
  AccessDenied: auth("the peer accepts our certificate but does not let us in"),
  DecryptError: auth("the peer refuses our proof of owning the certificate", OUR_CERTIFICATE_HINT),
  ProtocolVersion: auth("the two sides have no TLS version in common", VERSION_HINT),
  HandshakeFailure: auth(
    "the peer refuses the handshake: no cipher suite in common, or it wants a client certificate",
    VERSION_HINT,
  ),
  InsufficientSecurity: auth("the peer refuses the handshake: not secure enough for it", VERSION_HINT),
  UnrecognisedName: auth("the peer does not serve the name that we expect of it"),
  NoApplicationProtocol: auth("the two sides have no application protocol in common"),
  InternalError: { kind: "peer", why: "the peer reports an internal error" },
  UserCanceled: { kind: "peer", why: "the peer cancelled the handshake" },
  CloseNotify: { kind: "peer", why: "the peer closed the connection" },
};

/** Codes that carry a meaning of their own. Those of certificates are about the peer's, as we verified it. */
const CODES: Readonly<Record<string, TlsFailure>> = {
  CERT_HAS_EXPIRED: auth("the peer's certificate has expired"),
  CERT_NOT_YET_VALID: auth("the peer's certificate is not yet valid", "compare the clocks of both machines"),
  CERT_REVOKED: auth("the peer's certificate is revoked"),
  CERT_SIGNATURE_FAILURE: auth("the peer's certificate has a wrong signature"),
  INVALID_PURPOSE: auth("the peer's certificate is not made for this use"),
  DEPTH_ZERO_SELF_SIGNED_CERT: auth("the peer's certificate is self-signed and not trusted"),
  SELF_SIGNED_CERT_IN_CHAIN: auth("the peer's certificate is not issued by the CA that we trust"),
  UNABLE_TO_GET_ISSUER_CERT: auth("the peer's certificate is not issued by the CA that we trust"),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: auth("the peer's certificate is not issued by the CA that we trust"),
  // On Deno 2.9.6 also for expired, not yet valid and wrong purpose, when the CA is right (measured).
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: auth(
    "the peer's certificate cannot be verified: unknown CA, expired, not yet valid, or not made for this use",
  ),
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: auth("the peer sent no certificate"),
  ERR_SSL_WRONG_VERSION_NUMBER: auth("the peer does not speak TLS", "is TLS disabled on one side only?"),
  ERR_SSL_UNSUPPORTED_PROTOCOL: auth("the two sides have no TLS version in common", VERSION_HINT),
};

/** rustls' own reasons for giving up, by a piece of their text; the code is a general one for all of them. */
const REASONS: ReadonlyArray<readonly [RegExp, TlsFailure]> = [
  [
    /Tls1[23]NotOffered|Tls1[23]NotSupported|SignatureAlgorithmsExtensionRequired/,
    auth("the two sides have no TLS version in common", VERSION_HINT),
  ],
  [/NoCipherSuitesInCommon/, auth("the two sides have no cipher suite in common", VERSION_HINT)],
  [
    /NoSignatureSchemesInCommon|NoKxGroupsInCommon/,
    auth("the two sides have no signature or key exchange method in common"),
  ],
];

/**
 * Makes a PeerctlError of anything that a TLS connection failed with, also after 'secureConnect': with TLS 1.3 the
 * server judges our certificate after our side of the handshake is done.
 *
 * Kind "auth": certificate, name or version refused by either side; "peer": unreachable or broken off; an error that is a
 * PeerctlError already stays itself; an AbortError is "closed", a TimeoutError "timeout".
 *
 * @param what begins the message, such as `Cannot connect to 192.0.2.1:15150`.
 */
export function classifyTlsError(error: unknown, what = "Cannot go on with the TLS connection"): PeerctlError {
  if (error instanceof PeerctlError) return error;
  if (!(error instanceof Error)) return new PeerctlError("peer", `${what}: ${error}`);
  if (error.name === "AbortError") return new PeerctlError("closed", `${what}: cancelled`, { cause: error });
  if (error.name === "TimeoutError") return new PeerctlError("timeout", `${what}: ${error.message}`, { cause: error });
  return failureError(what, tlsFailure(error), error);
}

/** Puts a failure behind its action. */
export function failureError(what: string, { kind, why, hint }: TlsFailure, cause?: unknown): PeerctlError {
  return new PeerctlError(kind, `${what}: ${why}`, { ...(hint !== undefined && { hint }), cause });
}

/** Finds the words for an error of node:tls. What is not known and comes from TLS counts as "auth". */
export function tlsFailure(error: Error): TlsFailure {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return nameFailure(error);
  const alert = /received fatal alert: (\w+)/.exec(message)?.[1];
  if (alert !== undefined) return ALERTS[alert] ?? auth(`the peer refuses the handshake: ${alert}`);
  const reason = REASONS.find(([text]) => text.test(message))?.[1];
  if (reason) return reason;
  const known = CODES[code];
  if (known) return known;
  if (Object.hasOwn(PEER_FAILURES, code)) return { kind: "peer", why: describeFailure(error) };
  const isTls = /^ERR_(SSL|TLS)_|CERT/.test(code);
  return { kind: isTls ? "auth" : "peer", why: message };
}

function nameFailure(error: Error): TlsFailure {
  const { host, cert } = error as Error & { host?: string; cert?: { subjectaltname?: string } };
  const names = cert?.subjectaltname;
  return auth(
    `the peer's certificate is not for "${host ?? "the expected name"}" but for ${
      names ? `"${names}"` : "another name"
    }`,
    "another machine answers at this address, or its certificate was made for another name (certgen --san)",
  );
}

function auth(why: string, hint?: string): TlsFailure {
  return hint === undefined ? { kind: "auth", why } : { kind: "auth", why, hint };
}
