// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { PeerctlError } from "../errors.ts";
import { classifyTlsError } from "./tls_errors.ts";

/** As Deno 2.9.6 reports them, measured against its own servers, openssl s_server and Go. */
const MEASURED: ReadonlyArray<readonly [code: string, message: string, kind: string, why: RegExp]> = [
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "received fatal alert: CertificateRequired", "auth", /we sent none/],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "received fatal alert: CertificateRequired", "auth", /we sent none/],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "received fatal alert: HandshakeFailure", "auth", /no cipher suite/],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "received fatal alert: UnknownCA", "auth", /does not know the CA of our/],
  ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "received fatal alert: BadCertificate", "auth", /refuses our certificate/],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "received fatal alert: CertificateExpired", "auth", /expired/],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "received fatal alert: ProtocolVersion", "auth", /no TLS version/],
  ["ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", "received fatal alert: InternalError", "peer", /internal error/],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "received fatal alert: BrandNewAlert", "auth", /BrandNewAlert/],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "peer is incompatible: Tls12NotOfferedOrEnabled", "auth", /TLS version/],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "peer is incompatible: NoCipherSuitesInCommon", "auth", /cipher suite/],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "received corrupt message of type InvalidContentType", "auth", /does not speak TLS/],
  ["SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain", "auth", /not issued by the CA/],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate", "auth", /cannot be verified/],
  ["ERR_SSL_SOMETHING_NEW", "something new", "auth", /something new/],
  ["ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1", "peer", /nobody listens there/],
  ["ECONNRESET", "Client network socket disconnected before secure TLS connection was established", "peer", /broke/],
  ["EHOSTUNREACH", "connect EHOSTUNREACH", "peer", /no way to that host/],
  ["ETIMEDOUT", "connect ETIMEDOUT", "peer", /does not answer/],
  ["EPIPE", "write EPIPE", "peer", /broke the connection off/],
  ["EWHATEVER", "what ever", "peer", /what ever/],
];

Deno.test("classifyTlsError() tells a refusal from an outage, by what the runtime really reports", () => {
  for (const [code, message, kind, why] of MEASURED) {
    const cause = Object.assign(new Error(message), { code });
    const error = classifyTlsError(cause, "Cannot connect to 192.0.2.1:1");
    assert.equal(error.kind, kind, `${code} ${message}`);
    assert.match(error.message, /^Cannot connect to 192\.0\.2\.1:1: /);
    assert.match(error.message, why);
    assert.equal(error.cause, cause);
  }
});

Deno.test("classifyTlsError() keeps what is classified and knows the errors of signals", () => {
  const known = new PeerctlError("limit", "x");
  assert.equal(classifyTlsError(known), known);
  assert.equal(classifyTlsError(new DOMException("x", "AbortError")).kind, "closed");
  assert.equal(classifyTlsError(new DOMException("x", "TimeoutError")).kind, "timeout");
  assert.equal(classifyTlsError("odd").kind, "peer");
});
