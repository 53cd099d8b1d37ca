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
  /** A request begins; it lasts until what is returned is called. */
  begin(): () => void;
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
  let underWay = 0;
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
    begin() {
      underWay++;
      // An http/1.1 connection ends itself after an answer that says "close".
      return () => underWay--;
    },
    hasSession(opened) {
      session = opened;
    },
  };
  return {
    connection,
    retire() {
      isEnding = true;
      if (session !== undefined) session.close();
      else if (underWay === 0) socket.end().destroySoon();
    },
  };
}
