// SPDX-License-Identifier: Apache-2.0
/** Dials and listens on TCP. */

import type * as net from "node:net";
export function parseHostPort(_text: string, _what: string): { host: string; port: number } {
  throw new Error("not written yet");
}
export function dialTcp(
  _o: { host: string; port: number; signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
): Promise<net.Socket> {
  throw new Error("not written yet");
}
export interface TcpListener {
  readonly address: { host: string; port: number };
  close(): Promise<void>;
}
export function listenTcp(
  _o: { host: string; port: number; onConnection(socket: net.Socket): void },
): Promise<TcpListener> {
  throw new Error("not written yet");
}
