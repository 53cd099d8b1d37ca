// SPDX-License-Identifier: Apache-2.0
/** The proxy as a whole: takes requests from verified clients, has them judged, and forwards what is allowed. */

import type { Logger } from "@logtape/logtape";
import { createTlsDialer, listenTls, type TlsCredentials, type TlsListener, type TlsProfile } from "../net/tls.ts";
import type { AuditLog } from "./audit.ts";
import type { AllowedCallers } from "./callers.ts";
import { createClientConnections } from "./client_connections.ts";
import type { Judge } from "./decision.ts";
import { createHttpServers } from "./http_servers.ts";
import type { Metrics } from "./metrics.ts";
import { createRequestHandlers } from "./request_handlers.ts";
import type { Timeouts } from "./timeouts.ts";
import { createUpstream } from "./upstream.ts";

export interface KubeletProxyOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly kubelet: {
    readonly host: string;
    readonly port: number;
    /** The name its certificate must carry. */
    readonly serverName: string;
    readonly skipVerify: boolean;
  };
  /** Of this server, with the CA of the clients. */
  readonly serving: TlsCredentials;
  /** Towards the kubelet, with its CA. */
  readonly client: TlsCredentials;
  readonly profile: TlsProfile;
  readonly allowed: AllowedCallers;
  readonly judge: Judge;
  readonly maxConnections: number;
  readonly timeouts: Timeouts;
  readonly audit: AuditLog | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface KubeletProxy {
  readonly address: TlsListener["address"];
  /** Takes new certificates for both sides; streams go on, and connections end after what is under way on them. */
  update(serving: TlsCredentials, client: TlsCredentials): void;
  /** What the metrics listener shows. */
  counts(): { connections: number; requestsUnderWay: number; streams: number };
  /** Takes no more connections, lets requests and streams end for `drainMs`, then breaks off what is left. */
  stop(): Promise<void>;
}

/**
 * Starts listening.
 *
 * @throws {PeerctlError} kind "config" for an address or certificates that cannot be used.
 */
export async function startKubeletProxy(o: KubeletProxyOptions): Promise<KubeletProxy> {
  const { log, timeouts, metrics } = o;
  const connections = createClientConnections(o.maxConnections);
  const dialer = createTlsDialer({
    credentials: o.client,
    profile: o.profile,
    serverName: o.kubelet.serverName,
    skipVerify: o.kubelet.skipVerify,
  });
  const upstream = createUpstream({
    host: o.kubelet.host,
    port: o.kubelet.port,
    dialer,
    connectTimeoutMs: timeouts.connectMs,
  });
  const handlers = createRequestHandlers({ ...o, upstream });
  const servers = createHttpServers({
    ...handlers,
    headerTimeoutMs: timeouts.headersMs,
    idleTimeoutMs: timeouts.idleMs,
  });
  const listener = await listenTls({
    ...o.listen,
    credentials: o.serving,
    profile: o.profile,
    requireClientCert: true,
    alpnProtocols: ["h2", "http/1.1"],
    log,
    onConnection(socket) {
      const connection = connections.add(socket);
      if (connection === undefined) {
        metrics.connectionRefused("limit");
        log.warn("Connection refused: there are too many", { limit: o.maxConnections });
        return;
      }
      const session = servers.serve(socket, connection);
      if (session !== undefined) connection.hasSession(session);
    },
  });
  return {
    address: listener.address,
    update(serving, client) {
      dialer.update(client);
      listener.update(serving);
      upstream.renew();
      // Clients that are still welcome come back; a CA that was taken away must not live on in an open connection.
      connections.retireAll();
    },
    counts: () => ({ connections: connections.size, ...handlers.counts() }),
    async stop() {
      await listener.close();
      connections.retireAll();
      const timer = setTimeout(() => {
        log.warn("Requests were still under way and are broken off", handlers.counts());
        connections.destroyAll();
      }, timeouts.drainMs);
      await connections.whenEmpty();
      clearTimeout(timer);
      await handlers.whenIdle();
      upstream.close();
    },
  };
}
