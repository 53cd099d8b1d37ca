// SPDX-License-Identifier: Apache-2.0
/** Listens with mutual TLS over node:tls, and checks what the runtime leaves unchecked. */

import type { Logger } from "@logtape/logtape";
import type * as net from "node:net";
import * as tls from "node:tls";
import { PeerctlError } from "../errors.ts";
import { handOut } from "./connecting.ts";
import { formatAddress, startListening, type TcpListener, tune } from "./tcp.ts";
import { checkCredentials, parseCertificates, type TlsCredentials, validityProblem } from "./tls_credentials.ts";
import { tlsFailure } from "./tls_errors.ts";
import { nodeMinVersion, profileViolation, type TlsProfile } from "./tls_profile.ts";
import { createRefusalLog } from "./tls_refusals.ts";
import { isStillTrusted } from "./tls_resumed.ts";

/** Longest time for a client's handshake, in milliseconds: a silent connection must not hold a descriptor for long. */
const HANDSHAKE_TIMEOUT_MS = 30_000;

export interface TlsListener extends TcpListener {
  /** Takes effect with the next connection; those that are open stay. @throws as listenTls(); the old ones then stay. */
  update(credentials: TlsCredentials): void;
}

export interface ListenTlsOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: TlsCredentials;
  readonly profile: TlsProfile;
  /** True: a client must show a certificate that is in `credentials.ca` or issued by one of it. */
  readonly requireClientCert: boolean;
  /** What this side speaks above TLS, best first; without it none is negotiated. */
  readonly alpnProtocols?: readonly string[] | undefined;
  /** Called only for connections that passed every check. */
  onConnection(socket: tls.TLSSocket): void;
  readonly log: Logger;
  readonly handshakeTimeoutMs?: number | undefined;
}

/**
 * Listens with TLS. `onConnection` is called only for a client that passed: certificate (if required), version, suite.
 *
 * Refused handshakes are logged with the peer's address, at most one warning in ten seconds; a connection that is opened
 * and closed without a byte, as probes do, is not logged at all.
 *
 * @throws {PeerctlError} kind "config" for an address or credentials that cannot be used, or without a CA to verify with.
 */
export async function listenTls(o: ListenTlsOptions): Promise<TlsListener> {
  const { requireClientCert, profile } = o;
  const handshakeTimeoutMs = o.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
  const refusals = createRefusalLog(o.log);
  /** Connections whose handshake is not done, by peer. */
  const handshakes = new Map<string, { raw: net.Socket; timer: ReturnType<typeof setTimeout> }>();
  /** Connections that we ended ourselves: what the runtime says of them afterwards is no news. */
  const abandoned = new WeakSet<net.Socket>();
  let { ca } = o.credentials;

  function abandon(raw: net.Socket): void {
    abandoned.add(raw);
    raw.destroy();
  }

  function endHandshake(peer: string): void {
    clearTimeout(handshakes.get(peer)?.timer);
    handshakes.delete(peer);
  }

  const server = tls.createServer({
    ...serverContext(o.credentials, profile, requireClientCert),
    requestCert: requireClientCert,
    rejectUnauthorized: requireClientCert,
    ...(o.alpnProtocols !== undefined && { ALPNProtocols: [...o.alpnProtocols] }),
    // Never reached, for ours comes first: the runtime's own only reports and leaves the connection open (measured).
    handshakeTimeout: 2 * handshakeTimeoutMs,
  });

  server.on("connection", (raw: net.Socket) => {
    const peer = peerOf(raw);
    const timer = setTimeout(() => {
      refusals.broken(peer, `no handshake within ${handshakeTimeoutMs} ms`);
      abandon(raw);
    }, handshakeTimeoutMs);
    handshakes.set(peer, { raw, timer });
    raw.once("close", () => endHandshake(peer));
  });

  server.on("secureConnection", (socket: tls.TLSSocket) => {
    const peer = peerOf(socket);
    endHandshake(peer);
    const refusal = profileViolation(socket, profile) ?? (requireClientCert ? clientRefusal(socket, ca) : undefined);
    if (refusal !== undefined) refusals.refused(peer, refusal);
    handOut(socket);
    if (refusal !== undefined) socket.destroy();
    else o.onConnection(tune(socket));
  });

  server.on("tlsClientError", (error: Error, socket: tls.TLSSocket) => {
    socket.destroy();
    // The TLS socket has lost its address by now; the TCP socket below it has not, and only `_parent` leads there.
    const raw = (socket as { _parent?: net.Socket })._parent;
    if (raw && abandoned.has(raw)) return;
    const peer = raw ? peerOf(raw) : "unknown";
    // The runtime lets a handshake with a bad client certificate finish and drops it then: the code is kept here only.
    const code = socket.authorizationError as unknown as string | null | undefined;
    const failure = tlsFailure(code ? Object.assign(new Error(code), { code }) : error);
    if (failure.kind === "auth") refusals.refused(peer, failure.why);
    else if ((raw?.bytesRead ?? 0) > 0) refusals.broken(peer, failure.why);
  });

  const { address, close } = await startListening(server, o);
  return {
    address,
    update(credentials) {
      server.setSecureContext(serverContext(credentials, profile, requireClientCert));
      ca = credentials.ca;
    },
    async close() {
      for (const { raw } of handshakes.values()) abandon(raw);
      await close();
    },
  };
}

/**
 * Why a client whose handshake the runtime accepted must still go.
 *
 * The first cannot happen as long as `rejectUnauthorized` works; one option that is ignored must not open the door.
 * The others can: a session may be resumed that a server began which wants no certificate, or trusts another CA, and a
 * certificate that stands itself in `ca` is accepted after it expired (measured).
 */
function clientRefusal(socket: tls.TLSSocket, ca: string | undefined): string | undefined {
  if (!socket.authorized) return `its certificate is not authorized: ${socket.authorizationError}`;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return "it sent no certificate";
  if (socket.isSessionReused() && !isStillTrusted(certificate, parseCertificates(ca ?? "", "the CA certificate"))) {
    return "its session was resumed, and the CA of its certificate is not trusted any more, or not here";
  }
  const problem = validityProblem(certificate, new Date());
  return problem === undefined ? undefined : `its certificate cannot be used: ${problem}`;
}

function serverContext(
  credentials: TlsCredentials,
  profile: TlsProfile,
  requireClientCert: boolean,
): tls.SecureContextOptions {
  checkCredentials(credentials);
  const { ca, cert, key } = credentials;
  if (cert === undefined || key === undefined) {
    throw new PeerctlError("config", "Cannot listen with TLS: no certificate and key given");
  }
  if (requireClientCert && ca === undefined) {
    throw new PeerctlError("config", "Cannot listen with TLS: no CA certificate given to verify clients with");
  }
  return { cert, key, minVersion: nodeMinVersion(profile), ...(requireClientCert && { ca: ca! }) };
}

function peerOf(socket: net.Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 });
}
