// SPDX-License-Identifier: Apache-2.0
/** Dials and listens on unix sockets. */

import type * as net from "node:net";
export function checkSocketPath(_path: string, _what: string): void {}
export interface UnixListener {
  readonly path: string;
  close(): Promise<void>;
}
export function listenUnix(
  _o: { path: string; onConnection(socket: net.Socket): void; signal?: AbortSignal | undefined },
): Promise<UnixListener> {
  throw new Error("not written yet");
}
export function createPrivateDir(_path: string): Promise<void> {
  throw new Error("not written yet");
}
export function dialUnix(
  _path: string,
  _o?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
): Promise<net.Socket> {
  throw new Error("not written yet");
}
