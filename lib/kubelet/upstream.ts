// SPDX-License-Identifier: Apache-2.0
/** Connections to the kubelet: a pool of kept ones for plain requests, and single ones for streams. */

import * as http from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { TlsDialer } from "../net/tls.ts";

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

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn, without Host. */
  readonly headers: readonly string[];
}

export interface Upstream {
  /** Begins a request; its 'error' is a PeerctlError when no connection came about. */
  request(o: UpstreamRequest): http.ClientRequest;
  /** The same over a connection of its own, which is not kept. */
  requestAlone(o: UpstreamRequest, socket: TLSSocket): http.ClientRequest;
  dial(signal?: AbortSignal): Promise<TLSSocket>;
  /** Closes unused connections: their certificates are no longer ours. */
  renew(): void;
  close(): void;
}

export function createUpstream({ host, port, dialer, connectTimeoutMs }: UpstreamOptions): Upstream {
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const dial = (signal?: AbortSignal) => dialer.dial({ host, port, signal, timeoutMs: connectTimeoutMs });
  let agent = createAgent(dial);
  const common = ({ method, path, headers }: UpstreamRequest) => ({
    method,
    path,
    // The client's own name for this node says nothing to the kubelet, and is not verified.
    headers: ["Host", authority, ...headers],
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
  });
  return {
    request: (o) => http.request({ ...common(o), agent } as unknown as http.RequestOptions),
    requestAlone: (o, socket) =>
      http.request({ ...common(o), createConnection: () => socket } as unknown as http.RequestOptions),
    dial,
    renew() {
      const old = agent;
      agent = createAgent(dial);
      // Requests under way keep their sockets; the agent that is left frees them one by one.
      for (const sockets of Object.values(old.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
      old.maxFreeSockets = 0;
    },
    close: () => agent.destroy(),
  };
}

/** Longest header of an answer, in bytes. */
const MAX_RESPONSE_HEADER_BYTES = 256 << 10;

/** An agent whose connections are dialled with mutual TLS, without looking at files or names again. */
function createAgent(dial: () => Promise<TLSSocket>): http.Agent {
  class KubeletAgent extends http.Agent {
    override createConnection(_options: unknown, onCreate?: (error: Error | null, socket: Duplex) => void): Duplex {
      dial().then(
        (socket) => onCreate?.(null, socket),
        (error) => onCreate?.(error as Error, undefined as unknown as Duplex),
      );
      // Node's agent takes the socket from the callback when nothing is returned.
      return undefined as unknown as Duplex;
    }
  }
  return new KubeletAgent({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS, scheduling: "lifo" });
}
