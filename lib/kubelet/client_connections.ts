// SPDX-License-Identifier: Apache-2.0
/** Keeps track of the clients' connections: who is on them, how many there are, and which should end soon. */

import type { ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import { callerOf, type KnownCaller } from "./callers.ts";

export interface ClientConnection {
  readonly socket: TLSSocket;
  /** undefined: the certificate names nobody. */
  readonly caller: KnownCaller | undefined;
  /** The client's IP address. */
  readonly remote: string;
  /** No further request: answers say so, and it is closed when the last is sent. */
  readonly isEnding: boolean;
  /** A doubtful request came: what follows it on an http/1.1 connection is not looked at. */
  isRefused: boolean;
  /** A request begins; `onLost` is called when the connection closes before what is returned is called. */
  begin(onLost: () => void): () => void;
  /** For h2. */
  hasSession(session: ServerHttp2Session): void;
}

export interface ClientConnections {
  readonly size: number;
  /** Adds a connection, or destroys it and returns undefined when there are too many. */
  add(socket: TLSSocket): ClientConnection | undefined;
  /** Ends every connection as soon as nothing is under way on it. */
  retireAll(): void;
  destroyAll(): void;
  /** Resolves when there are none. */
  whenEmpty(): Promise<void>;
}

export function createClientConnections(max: number): ClientConnections {
  const all = new Map<TLSSocket, () => void>();
  const waiting = new Set<() => void>();
  return {
    get size() {
      return all.size;
    },
    add(socket) {
      if (all.size >= max) {
        socket.destroy();
        return undefined;
      }
      const { connection, retire } = track(socket);
      all.set(socket, retire);
      socket.once("close", () => {
        all.delete(socket);
        if (all.size > 0) return;
        for (const resolve of waiting) resolve();
        waiting.clear();
      });
      return connection;
    },
    retireAll() {
      for (const retire of [...all.values()]) retire();
    },
    destroyAll() {
      for (const socket of [...all.keys()]) socket.destroy();
    },
    whenEmpty: () => all.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve)),
  };
}

function track(socket: TLSSocket): { connection: ClientConnection; retire(): void } {
  const underWay = new Set<() => void>();
  let isEnding = false;
  let session: ServerHttp2Session | undefined;
  const certificate = socket.getPeerX509Certificate();
  const connection: ClientConnection = {
    socket,
    caller: certificate && callerOf(certificate),
    remote: socket.remoteAddress ?? "",
    get isEnding() {
      return isEnding;
    },
    isRefused: false,
    begin(onLost) {
      underWay.add(onLost);
      // An http/1.1 connection ends itself after an answer that says "close".
      return () => underWay.delete(onLost);
    },
    hasSession(opened) {
      session = opened;
    },
  };
  // Not left to each request: one that waits behind another hears nothing from the runtime.
  socket.once("close", () => {
    for (const onLost of [...underWay]) onLost();
  });
  return {
    connection,
    retire() {
      isEnding = true;
      if (session !== undefined) session.close();
      else if (underWay.size === 0) socket.end();
    },
  };
}
