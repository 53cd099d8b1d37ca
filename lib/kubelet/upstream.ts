// SPDX-License-Identifier: Apache-2.0
/** Connections to the kubelet: kept ones for plain requests, and single ones for streams. */

import type { TLSSocket } from "node:tls";
import type { TlsDialer } from "../net/tls.ts";
import { createKubeletConnection, type KubeletConnection } from "./kubelet_connection.ts";
import { headText } from "./message_writer.ts";

/** How long an unused connection is kept, in milliseconds: less than the 90 s after which a kubelet closes it. */
const IDLE_MS = 60_000;

/** Most unused connections kept. */
const MAX_IDLE = 64;

export interface UpstreamOptions {
  readonly host: string;
  readonly port: number;
  readonly dialer: TlsDialer;
  /** For connecting and handshake together, in milliseconds. */
  readonly connectTimeoutMs: number;
}

export interface Upstream {
  /** The head of a request; `headers` are names and values in turn, without Host. @throws {TypeError} as headText(). */
  head(method: string, target: string, headers: readonly string[]): string;
  /** A kept connection, if there is one. */
  take(): KubeletConnection | undefined;
  /** A new connection, which is kept after its request. @throws {PeerctlError} as the dialer. */
  dial(): Promise<KubeletConnection>;
  /** A new connection for one request only. @throws {PeerctlError} as the dialer. */
  dialAlone(signal: AbortSignal): Promise<KubeletConnection>;
  /** Closes unused connections: their certificates are no longer ours. */
  renew(): void;
  close(): void;
}

export function createUpstream({ host, port, dialer, connectTimeoutMs }: UpstreamOptions): Upstream {
  // The client's own name for this node says nothing to the kubelet, and is not verified.
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const dialSocket = (signal?: AbortSignal) => dialer.dial({ host, port, signal, timeoutMs: connectTimeoutMs });
  const all = new Set<KubeletConnection>();
  let idle: KubeletConnection[] = [];
  /** Connections of before are not kept. */
  let generation = 0;

  function keep(socket: TLSSocket, of: number): KubeletConnection {
    const connection = createKubeletConnection({
      socket,
      onFree(free) {
        if (of !== generation || idle.length >= MAX_IDLE) return free.destroy();
        free.rest(IDLE_MS);
        idle.push(free);
      },
      onClose(closed) {
        all.delete(closed);
        const at = idle.indexOf(closed);
        if (at >= 0) idle.splice(at, 1);
      },
    });
    all.add(connection);
    return connection;
  }

  return {
    head: (method, target, headers) => headText(`${method} ${target} HTTP/1.1`, ["Host", authority, ...headers]),
    // The one that was used last is the least likely to be closed by the kubelet.
    take: () => idle.pop(),
    async dial() {
      const of = generation;
      return keep(await dialSocket(), of);
    },
    async dialAlone(signal) {
      return keep(await dialSocket(signal), NEVER);
    },
    renew() {
      generation++;
      const old = idle;
      idle = [];
      for (const connection of old) connection.destroy();
    },
    close() {
      generation++;
      for (const connection of [...all]) connection.destroy();
    },
  };
}

/** The generation of connections that are not kept. */
const NEVER = -1;
