// SPDX-License-Identifier: Apache-2.0
/** The guest's end of an agent path, in process: a forwarder's port with an agent behind it that a test can steer. */

import type { Duplex } from "node:stream";
import type { Logger } from "@logtape/logtape";
import type { AutomaticTls } from "../crypto/automatic.ts";
import { createAutomaticTls } from "./automatic_tls.ts";
import { listenTcp } from "../net/tcp.ts";
import { listenTls, type TlsClientOptions } from "../net/tls.ts";
import { createTtrpcServer } from "../ttrpc/server.ts";
import type { UnaryHandler } from "../ttrpc/server.ts";

/** HealthCheckResponse with status SERVING (facts F4). */
const SERVING = Uint8Array.of(0x08, 0x01);

const PROFILE = { minVersion: "VersionTLS12", cipherSuites: [] } as const;

export interface GuestEnd {
  readonly host: string;
  readonly port: number;
  /** What to dial it with; undefined for plain TCP. */
  readonly tls: TlsClientOptions | undefined;
  /** Connections open now. */
  readonly connections: number;
  /** Connections so far. */
  readonly accepted: number;
  /** Resolves as soon as there are `count` connections. */
  untilConnections(count: number): Promise<void>;
  /** Ends every connection, but goes on listening. */
  dropConnections(): void;
  stop(): Promise<void>;
}

export interface GuestEndOptions {
  readonly log: Logger;
  /** The name in its certificate; without one it speaks plain TCP. */
  readonly tlsName?: string | undefined;
  readonly authority?: AutomaticTls;
  /** Connections that are closed at once, the first ones: an apf whose agent is not there yet. */
  readonly refuseFirst?: number;
  /** Accepts, and never answers. */
  readonly isSilent?: boolean;
  /** Instead of SERVING. */
  readonly check?: UnaryHandler;
}

/** Starts one on a free port of 127.0.0.1. `grpc.AgentService/WaitProcess` never answers, `WriteStdin` echoes. */
export async function startGuestEnd(options: GuestEndOptions): Promise<GuestEnd> {
  const { log, tlsName, refuseFirst = 0, isSilent = false } = options;
  const open = new Set<Duplex>();
  const waiting = new Set<() => void>();
  let accepted = 0;
  const services = new Map([
    ["grpc.Health", new Map<string, UnaryHandler>([["Check", options.check ?? (() => Promise.resolve(SERVING))]])],
    [
      "grpc.AgentService",
      new Map<string, UnaryHandler>([
        ["WriteStdin", (payload) => Promise.resolve(payload)],
        ["WaitProcess", (_, { signal }) => untilAborted(signal)],
      ]),
    ],
  ]);
  const server = createTtrpcServer({ services, log });

  const onConnection = (socket: Duplex) => {
    accepted++;
    open.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      open.delete(socket);
      for (const look of waiting) look();
    });
    for (const look of waiting) look();
    if (accepted <= refuseFirst) socket.destroy();
    else if (!isSilent) server.serve(socket);
    else socket.resume();
  };

  const host = "127.0.0.1";
  const secure = tlsName === undefined ? undefined : await makeTls(tlsName, options.authority);
  const listener = secure
    ? await listenTls({ host, port: 0, ...secure.server, onConnection, log })
    : await listenTcp({ host, port: 0, onConnection });

  return {
    host,
    port: listener.address.port,
    tls: secure?.client,
    get connections() {
      return open.size;
    },
    get accepted() {
      return accepted;
    },
    untilConnections(count) {
      return new Promise((resolve) => {
        const look = () => {
          if (open.size !== count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    },
    dropConnections() {
      for (const socket of open) socket.destroy();
    },
    async stop() {
      const ends = [...open].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      server.close();
      for (const socket of open) socket.destroy();
      await Promise.all([listener.close(), ...ends]);
    },
  };
}

async function makeTls(serverName: string, known: AutomaticTls | undefined) {
  const authority = known ?? await createAutomaticTls();
  const credentials = { ca: authority.client.cert, ...(await authority.issueServer(serverName)) };
  return {
    server: { credentials, profile: PROFILE, requireClientCert: true },
    client: {
      serverName,
      credentials: { ca: authority.ca.cert, ...authority.client },
      profile: PROFILE,
      skipVerify: false,
    },
  };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}
