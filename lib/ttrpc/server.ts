// SPDX-License-Identifier: Apache-2.0
/** Serves unary methods on any number of TTRPC connections. */

import type { Logger } from "@logtape/logtape";
import type { Duplex } from "node:stream";
import { PeerctlError } from "../errors.ts";
import type { Services } from "./server_call.ts";
import { serveConnection, type ServerConnection } from "./server_connection.ts";

export type { CallContext, Services, UnaryHandler } from "./server_call.ts";

/** Default of `maxConcurrentCalls`: a shim parks one or two calls per container, so this is some hundred containers. */
const MAX_CONCURRENT_CALLS = 1024;

export interface TtrpcServerOptions {
  readonly services: Services;
  readonly log: Logger;
  /** Calls that one connection may have running; more are not read until one ends. Default 1024. */
  readonly maxConcurrentCalls?: number;
  /** Called with the number of open connections whenever it changes. */
  readonly onConnections?: (count: number) => void;
}

export interface TtrpcServer {
  /** Takes the connection: reads from it, writes to it, destroys it. */
  serve(connection: Duplex): void;
  readonly connections: number;
  /**
   * Ends idle connections, lets running calls finish and answers new ones with UNAVAILABLE; resolves when the last
   * connection is closed. When `signal` aborts, the rest is closed at once.
   */
  shutdown(signal?: AbortSignal): Promise<void>;
  /** Destroys every connection at once and aborts every call. */
  close(): void;
}

/** Creates a server; listening is the caller's, who hands over each connection with `serve`. */
export function createTtrpcServer(options: TtrpcServerOptions): TtrpcServer {
  const { services, log, maxConcurrentCalls = MAX_CONCURRENT_CALLS, onConnections } = options;
  const connections = new Set<ServerConnection>();
  let count = 0;
  let isClosing = false;

  function close(): void {
    isClosing = true;
    for (const connection of connections) {
      connection.destroy(new PeerctlError("closed", "Cannot finish call: the server is closed"));
    }
  }

  return {
    serve(connection) {
      if (isClosing || connection.destroyed) {
        connection.on("error", () => {});
        connection.destroy();
        return;
      }
      const served = serveConnection({ connection, connectionId: ++count, services, maxConcurrentCalls, log });
      connections.add(served);
      onConnections?.(connections.size);
      served.closed.then(() => {
        connections.delete(served);
        onConnections?.(connections.size);
      });
    },
    get connections() {
      return connections.size;
    },
    async shutdown(signal) {
      isClosing = true;
      for (const connection of connections) connection.drain();
      if (signal?.aborted) close();
      signal?.addEventListener("abort", close, { once: true });
      await Promise.all(Array.from(connections, (connection) => connection.closed));
      signal?.removeEventListener("abort", close);
    },
    close,
  };
}
