// SPDX-License-Identifier: Apache-2.0
/** Dials and listens with mutual TLS. */

import type { Logger } from "@logtape/logtape";
import type * as tls from "node:tls";
import type { PeerctlError } from "../errors.ts";
import type { TcpListener } from "./tcp.ts";

/** PEM texts. */
export interface TlsCredentials {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}
export interface TlsProfile {
  readonly minVersion: "VersionTLS12" | "VersionTLS13";
  /** IANA names; empty means the runtime's own list. */
  readonly cipherSuites: readonly string[];
}
export interface TlsClientOptions {
  readonly credentials: TlsCredentials;
  readonly profile: TlsProfile;
  readonly serverName: string;
  readonly skipVerify: boolean;
}
export interface TlsDialer {
  dial(
    o: { host: string; port: number; signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): Promise<tls.TLSSocket>;
  update(credentials: TlsCredentials): void;
}
export interface TlsListener extends TcpListener {
  update(credentials: TlsCredentials): void;
}
export interface ListenTlsOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: TlsCredentials;
  readonly profile: TlsProfile;
  readonly requireClientCert: boolean;
  onConnection(socket: tls.TLSSocket): void;
  readonly log: Logger;
  readonly handshakeTimeoutMs?: number | undefined;
}
export function parseTlsProfile(_minVersion: string, _cipherSuites: readonly string[]): TlsProfile {
  throw new Error("not written yet");
}
export function createTlsDialer(_o: TlsClientOptions): TlsDialer {
  throw new Error("not written yet");
}
export function classifyTlsError(_error: unknown): PeerctlError {
  throw new Error("not written yet");
}
export function listenTls(_o: ListenTlsOptions): Promise<TlsListener> {
  throw new Error("not written yet");
}
