// SPDX-License-Identifier: Apache-2.0
/** Gives a test a kubelet-proxy in this process, with certificates, between clients and a stand-in for a kubelet. */

import { once } from "node:events";
import * as https from "node:https";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import * as tls from "node:tls";
import { createMetrics } from "../kubelet/metrics.ts";
import { type KubeletProxy, type KubeletProxyOptions, startKubeletProxy } from "../kubelet/proxy.ts";
import { judgeByRoute } from "../kubelet/route_policy.ts";
import type { Timeouts } from "../kubelet/timeouts.ts";
import { parseTlsProfile } from "../net/tls.ts";
import { makeTestAuthority, type TestAuthority } from "./certificates.ts";
import { recordLog } from "./recorded_log.ts";

export const API_SERVER = "kube-apiserver-kubelet-client";

/** Long enough for a busy machine, and short enough to end a test that hangs. */
export const TEST_TIMEOUTS: Timeouts = {
  connectMs: 10_000,
  headersMs: 10_000,
  responseMs: 30_000,
  idleMs: 30_000,
  streamIdleMs: 60_000,
  drainMs: 2_000,
};

/** Stands in for a kubelet's server: it records what reaches it and answers as a test says. */
export interface KubeletStandIn {
  readonly port: number;
  /** Method and target of every request that reached it, upgrades among them. */
  readonly seen: string[];
  readonly headers: string[][];
  readonly server: Server;
  close(): Promise<void>;
}

export interface StandInHandlers {
  /** CA of the clients, if it is not its own certificate's. */
  readonly ca?: string;
  request?(request: IncomingMessage, response: ServerResponse): void;
  upgrade?(request: IncomingMessage, socket: Socket, head: Uint8Array): void;
}

export interface ProxyBed {
  readonly proxy: KubeletProxy;
  readonly kubelet: KubeletStandIn;
  readonly authority: TestAuthority;
  readonly log: ReturnType<typeof recordLog>["records"];
  /** TLS options of a client that is allowed, or of another. */
  clientOptions(o?: ClientOptions): Promise<tls.ConnectionOptions>;
  connect(o?: ClientOptions): Promise<tls.TLSSocket>;
  /** Sends bytes over http/1.1 and resolves with everything that comes back until the end. */
  exchange(bytes: string, o?: ClientOptions): Promise<string>;
  get(path: string, o?: https.RequestOptions): Promise<PlainAnswer>;
}

export interface ClientOptions {
  readonly name?: string;
  readonly authority?: TestAuthority;
  readonly alpn?: string;
  readonly startsIn?: number;
  readonly usage?: "server" | "client";
}

export interface PlainAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export async function startKubeletStandIn(
  authority: TestAuthority,
  handlers: StandInHandlers = {},
): Promise<KubeletStandIn> {
  const { cert, key } = await authority.leaf({ name: "localhost" });
  const seen: string[] = [];
  const headers: string[][] = [];
  const sockets = new Set<Socket>();
  const record = ({ method, url, rawHeaders }: IncomingMessage) => {
    seen.push(`${method} ${url}`);
    headers.push(rawHeaders);
  };
  const server = https.createServer(
    { cert, key, ca: handlers.ca ?? authority.caPem, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      record(request);
      if (handlers.request !== undefined) return handlers.request(request, response);
      request.resume();
      response.end(`${request.method} ${request.url}`);
    },
  );
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Uint8Array) => {
    record(request);
    if (handlers.upgrade !== undefined) return handlers.upgrade(request, socket, head);
    acceptUpgrade(request, socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    headers,
    server,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Answers 101 for the protocol that was asked for. */
export function acceptUpgrade(request: IncomingMessage, socket: Socket): void {
  const protocol = request.headers["sec-websocket-protocol"];
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n${
      protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`
    }\r\n`,
  );
}

export type BedOptions = Partial<Omit<KubeletProxyOptions, "timeouts">> & {
  readonly timeouts?: Partial<Timeouts>;
  readonly handlers?: StandInHandlers;
  /** Somewhere else than at the stand-in. */
  readonly kubeletPort?: number;
};

/** Runs `body` with everything started, and stops it afterwards. */
export async function withKubeletProxy<T>(o: BedOptions, body: (bed: ProxyBed) => Promise<T>): Promise<T> {
  const { timeouts, handlers, kubeletPort, ...rest } = o;
  const authority = await makeTestAuthority();
  const server = await authority.leaf({ name: "localhost" });
  const client = await authority.leaf({ usage: "client", name: "kubelet-proxy" });
  const kubelet = await startKubeletStandIn(authority, handlers);
  const { log, records } = recordLog();
  const proxy = await startKubeletProxy({
    listen: { host: "127.0.0.1", port: 0 },
    kubelet: { host: "127.0.0.1", port: kubeletPort ?? kubelet.port, serverName: "localhost", skipVerify: false },
    serving: { ca: authority.caPem, ...server },
    client: { ca: authority.caPem, ...client },
    profile: parseTlsProfile("", []),
    allowed: { users: [API_SERVER], groups: [] },
    judge: judgeByRoute,
    maxConnections: 1000,
    audit: undefined,
    metrics: createMetrics(),
    log,
    ...rest,
    timeouts: { ...TEST_TIMEOUTS, ...timeouts },
  });
  const bed = createBed({ proxy, kubelet, authority, log: records });
  try {
    return await body(bed);
  } finally {
    await proxy.stop();
    await kubelet.close();
  }
}

function createBed(parts: Pick<ProxyBed, "proxy" | "kubelet" | "authority" | "log">): ProxyBed {
  const { proxy, authority } = parts;
  const clientOptions: ProxyBed["clientOptions"] = async (o = {}) => {
    const { name = API_SERVER, alpn = "http/1.1", startsIn = 0, usage = "client" } = o;
    const { cert, key } = await (o.authority ?? authority).leaf({ usage, name, startsIn });
    return {
      host: "127.0.0.1",
      port: proxy.address.port,
      ca: authority.caPem,
      cert,
      key,
      servername: "localhost",
      ALPNProtocols: [alpn],
    };
  };
  const connect: ProxyBed["connect"] = async (o) => {
    const socket = tls.connect(await clientOptions(o));
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    return socket;
  };
  return {
    ...parts,
    clientOptions,
    connect,
    async exchange(bytes, o) {
      const socket = await connect(o);
      let text = "";
      socket.on("data", (chunk: Uint8Array) => text += new TextDecoder("latin1").decode(chunk));
      socket.write(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
      await once(socket, "close");
      return text;
    },
    async get(path, o = {}) {
      const request = https.request({ ...await clientOptions() as https.RequestOptions, path, agent: false, ...o });
      request.end();
      const [response] = await once(request, "response") as [IncomingMessage];
      const chunks: Uint8Array[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const body = new TextDecoder().decode(Uint8Array.from(chunks.flatMap((chunk) => [...chunk])));
      return { status: response.statusCode!, headers: response.headers, body };
    },
  };
}
