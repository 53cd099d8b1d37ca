// SPDX-License-Identifier: Apache-2.0
/** Dials with mutual TLS over node:tls, and checks what the runtime leaves unchecked. */

import { isIP } from "node:net";
import * as tls from "node:tls";
import { PeerctlError } from "../errors.ts";
import { whenConnected } from "./connecting.ts";
import { formatAddress, tune } from "./tcp.ts";
import { checkCredentials, type TlsCredentials } from "./tls_credentials.ts";
import { classifyTlsError, failureError, type TlsFailure } from "./tls_errors.ts";
import { explainServerCertificate, isServerCertificateError } from "./tls_explain.ts";
import { nodeMinVersion, profileViolation, type TlsProfile } from "./tls_profile.ts";

// The TLS of this room under one name; the parts have files of their own.
export { classifyTlsError } from "./tls_errors.ts";
export { parseTlsProfile, type TlsProfile } from "./tls_profile.ts";
export type { TlsCredentials } from "./tls_credentials.ts";
export { listenTls, type ListenTlsOptions, type TlsListener } from "./tls_listener.ts";

/** Longest time for connecting and handshake together when the caller names none, in milliseconds. */
const DIAL_TIMEOUT_MS = 30_000;

/** A server that closes within this time of the handshake, in milliseconds, without a byte, may have refused our certificate. */
const REFUSAL_WINDOW_MS = 1_000;

/**
 * How many such connections in a row are taken for a refusal; fewer may be a server that is starting or stopping. With
 * pauses of 100, 200, 400 and 800 ms between them that is known after 1.5 s.
 */
const SILENT_CLOSES = 5;

export interface TlsClientOptions {
  readonly credentials: TlsCredentials;
  readonly profile: TlsProfile;
  /** The DNS name or IP address that the server's certificate must carry, whatever address is dialled. */
  readonly serverName: string;
  /** Accepts every server; our own certificate is still shown. */
  readonly skipVerify: boolean;
  /** Shared by dialers that mostly have the same credentials; one of its own if absent. */
  readonly contexts?: TlsContexts | undefined;
}

/** The secure context of the credentials that were used last. */
export interface TlsContexts {
  /** @throws {PeerctlError} kind "config" for credentials that cannot be used, also when they could be before. */
  get(o: Pick<TlsClientOptions, "credentials" | "profile" | "skipVerify">): TlsContext;
}

interface TlsContext {
  readonly secureContext: tls.SecureContext;
  /** Equal to those asked for; kept instead of them, so that equal texts are in memory once. */
  readonly credentials: TlsCredentials;
}

/**
 * Remembers one context: all sandboxes of a node show the same certificate, and it is another only when it was renewed.
 * Each context of its own takes 40 KB (measured).
 */
export function createTlsContexts(): TlsContexts {
  let last: { readonly key: string; readonly context: TlsContext } | undefined;
  return {
    get({ credentials, profile, skipVerify }) {
      const { ca, cert, key: privateKey } = credentials;
      const key = JSON.stringify([ca, cert, privateKey, profile.minVersion, skipVerify]);
      if (last?.key !== key) {
        last = { key, context: { secureContext: clientContext(credentials, profile, skipVerify), credentials } };
      } // They may have expired since.
      else checkCredentials(last.context.credentials);
      return last.context;
    },
  };
}

export interface TlsDialer {
  /**
   * Connects once. The socket has a listener for 'error', so that an early loss does not end the process.
   *
   * @throws {PeerctlError} kind "auth" when either side refuses certificate, name, version or cipher suite; "peer" when it
   * is unreachable or breaks off; "timeout"; "closed" when `signal` aborts. With TLS 1.3 the server judges our
   * certificate later: that arrives as the socket's 'error', for classifyTlsError().
   */
  dial(
    o: { host: string; port: number; signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): Promise<tls.TLSSocket>;
  /** Takes effect with the next connection. @throws {PeerctlError} kind "config"; the old ones then stay. */
  update(credentials: TlsCredentials): void;
}

/**
 * Prepares dialling with one secure context for all connections.
 *
 * As a client Deno 2.9.6 never resumes a session (measured): every connection verifies the server's certificate anew.
 *
 * @throws {PeerctlError} kind "config" for credentials that cannot be used, or without a CA or name to verify with.
 */
export function createTlsDialer(o: TlsClientOptions): TlsDialer {
  const { profile, serverName, skipVerify } = o;
  if (serverName === "" && !skipVerify) {
    throw new PeerctlError("config", "Cannot verify a TLS server: no server name given");
  }
  const contexts = o.contexts ?? createTlsContexts();
  let context = contexts.get(o);
  let silentCloses = 0;

  function connectOptions(host: string, port: number, verify: boolean): tls.ConnectionOptions {
    return {
      host,
      port,
      secureContext: context.secureContext,
      // Never left to its default: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn it off.
      rejectUnauthorized: verify,
      checkServerIdentity: (_, certificate) => verify ? tls.checkServerIdentity(serverName, certificate) : undefined,
      // An IP address must not be sent as a name (RFC 6066 section 3).
      ...(serverName !== "" && isIP(serverName) === 0 && { servername: serverName }),
    };
  }

  /** Counts connections that the server closes right after the handshake, for Deno's servers refuse without an alert. */
  function watchForRefusal(socket: tls.TLSSocket, what: string): void {
    const since = performance.now();
    const isSilentClose = () =>
      socket.bytesRead === 0 && !socket.writableEnded && performance.now() - since < REFUSAL_WINDOW_MS;
    socket.once("error", (error) => {
      if (isSilentClose()) silentCloses++;
      // After an alert the runtime reports an error, then an end, and does not destroy (measured).
      socket.destroy(error);
    });
    socket.once("end", () => {
      // destroy() makes this the socket's 'error', which counts it.
      if (!socket.destroyed && isSilentClose()) {
        socket.destroy(failureError(what, silentCloseFailure(silentCloses + 1)));
      }
    });
    socket.once("close", () => {
      if (socket.bytesRead > 0) silentCloses = 0;
    });
  }

  return {
    async dial({ host, port, signal, timeoutMs = DIAL_TIMEOUT_MS }) {
      const what = `Cannot connect to ${formatAddress({ host, port })}`;
      if (silentCloses >= SILENT_CLOSES) {
        const failure = silentCloseFailure(silentCloses);
        silentCloses = 0;
        throw failureError(what, failure);
      }
      const limits = { signal, timeoutMs };
      const socket = tls.connect(connectOptions(host, port, !skipVerify));
      // At the event itself: a refusal may follow before what awaits it runs.
      if (context.credentials.cert !== undefined) socket.once("secureConnect", () => watchForRefusal(socket, what));
      try {
        await whenConnected(socket, "secureConnect", limits, what, (error) => classifyTlsError(error, what));
      } catch (error) {
        const ca = context.credentials.ca;
        if (ca === undefined || !isServerCertificateError(error)) throw error;
        throw await explainServerCertificate(error, { connect: connectOptions(host, port, false), ca, what, signal });
      }
      const violation = profileViolation(socket, profile);
      if (violation !== undefined) {
        socket.destroy();
        throw new PeerctlError("auth", `${what}: ${violation}`, { hint: "compare the TLS settings of both sides" });
      }
      return tune(socket);
    },
    update(credentials) {
      context = contexts.get({ credentials, profile, skipVerify });
    },
  };
}

function clientContext(credentials: TlsCredentials, profile: TlsProfile, skipVerify: boolean): tls.SecureContext {
  checkCredentials(credentials);
  const { ca, cert, key } = credentials;
  // Without `ca` the runtime would trust every public CA.
  if (ca === undefined && !skipVerify) {
    throw new PeerctlError("config", "Cannot verify a TLS server: no CA certificate given");
  }
  return tls.createSecureContext({
    minVersion: nodeMinVersion(profile),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  });
}

function silentCloseFailure(count: number): TlsFailure {
  const refused = count >= SILENT_CLOSES;
  return {
    kind: refused ? "auth" : "peer",
    why: refused
      ? `the server closed ${count} connections in a row right after the handshake, so it most likely refuses our certificate`
      : "the server closed the connection right after the handshake",
    hint: "its log says why; it must trust the CA of our certificate",
  };
}
