// SPDX-License-Identifier: Apache-2.0
/** Speaks http/1.1 and h2 on connections whose TLS and client certificate are already verified. */

import * as http from "node:http";
import * as http2 from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Longest request line and headers, in bytes: an exec has its command in it. A kubelet takes 1 MiB. */
export const MAX_HEADER_BYTES = 256 << 10;

/** Most headers of one h2 request, pseudo-headers among them; framing.ts refuses fewer. */
const MAX_H2_HEADERS = 128;

/** Streams of one h2 connection at a time: what Go's server allows. */
const MAX_H2_STREAMS = 250;

/** How often late headers are looked for, in milliseconds. */
const CHECK_INTERVAL_MS = 1_000;

export type IncomingRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type OutgoingResponse = http.ServerResponse | http2.Http2ServerResponse;

export interface HttpHandlers<C> {
  /** `expectsContinue`: the client waits for 100 before it sends its body. */
  onRequest(request: IncomingRequest, response: OutgoingResponse, connection: C, expectsContinue: boolean): void;
  /** Only http/1.1 has these. `head` is what came behind the request. */
  onUpgrade(request: http.IncomingMessage, socket: TLSSocket, head: Uint8Array, connection: C): void;
  /** The bytes are no request that can be answered, or CONNECT: the client has been told so. */
  onBadRequest(connection: C, reason: string): void;
}

/** What the servers know of a connection. */
export interface Refusable {
  /** It has had its last answer: bytes that come behind are not worth another. */
  readonly isRefused: boolean;
}

export interface HttpServersOptions<C> extends HttpHandlers<C> {
  /** For a request's headers to be complete, in milliseconds. */
  readonly headerTimeoutMs: number;
  /** How long a connection may be without a request, in milliseconds. */
  readonly idleTimeoutMs: number;
}

export interface HttpServers<C> {
  /** Takes a connection over; returns its h2 session, if it is one. */
  serve(socket: TLSSocket, connection: C): http2.ServerHttp2Session | undefined;
  close(): void;
}

export function createHttpServers<C extends Refusable>(o: HttpServersOptions<C>): HttpServers<C> {
  const sockets = new WeakMap<Socket, C>();
  const sessions = new WeakMap<http2.Http2Session, C>();
  const h1 = createH1(o);
  const h2 = http2.createServer({
    settings: {
      maxHeaderListSize: MAX_HEADER_BYTES,
      maxConcurrentStreams: MAX_H2_STREAMS,
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: MAX_H2_HEADERS,
    maxSendHeaderBlockLength: MAX_HEADER_BYTES,
    // deno-lint-ignore no-explicit-any -- an option of node's that its types do not have.
  } as any);
  const opened: http2.ServerHttp2Session[] = [];
  h2.on("session", (session: http2.ServerHttp2Session) => opened.push(session));

  const h1Connection = (request: http.IncomingMessage) => sockets.get(request.socket);
  const h2Connection = (request: http2.Http2ServerRequest) => sessions.get(request.stream.session!);
  for (const event of ["request", "checkContinue"] as const) {
    const expectsContinue = event === "checkContinue";
    h1.on(event, (request: http.IncomingMessage, response: http.ServerResponse) => {
      o.onRequest(request, response, known(h1Connection(request)), expectsContinue);
    });
    h2.on(event, (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
      o.onRequest(request, response, known(h2Connection(request)), expectsContinue);
    });
  }
  // Any other Expect: ours to refuse like the rest, not the runtime's.
  h1.on("checkExpectation", (request: http.IncomingMessage, response: http.ServerResponse) => {
    o.onRequest(request, response, known(h1Connection(request)), false);
  });
  h1.on("upgrade", (request: http.IncomingMessage, socket: Socket, head: Uint8Array) => {
    o.onUpgrade(request, socket as TLSSocket, head, known(sockets.get(socket)));
  });
  h1.on("connect", (_request: http.IncomingMessage, socket: Socket) => {
    const connection = known(sockets.get(socket));
    if (connection.isRefused) return;
    refuseBytes(socket, 400);
    o.onBadRequest(connection, "CONNECT");
  });
  h2.on("connect", (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
    response.writeHead(400);
    response.end();
    o.onBadRequest(known(h2Connection(request)), "CONNECT");
  });
  h1.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const code = error.code ?? "";
    // Every other code is the client going away.
    if (!/^HPE_|^ERR_HTTP_REQUEST_TIMEOUT$/.test(code)) return void socket.destroy();
    const connection = known(sockets.get(socket));
    if (connection.isRefused) return;
    refuseBytes(socket, code === "HPE_HEADER_OVERFLOW" ? 431 : code.startsWith("HPE_") ? 400 : 408);
    o.onBadRequest(connection, code);
  });
  h2.on("sessionError", () => {});

  return {
    serve(socket, connection) {
      if (socket.alpnProtocol !== "h2") {
        sockets.set(socket, connection);
        h1.emit("connection", socket);
        return undefined;
      }
      // It makes the session before it returns (measured).
      h2.emit("connection", socket);
      const session = known(opened.pop());
      sessions.set(session, connection);
      // Streams under way are waited for.
      session.setTimeout(o.idleTimeoutMs, () => session.close());
      session.on("error", () => socket.destroy());
      return session;
    },
    close: () => h1.close(),
  };
}

/**
 * An http/1.1 server that never listens itself: connections are handed to it. Node checks for late headers only while a
 * server listens, and closes connections after one request when it does not, so it is told that it does.
 */
function createH1(o: { readonly headerTimeoutMs: number; readonly idleTimeoutMs: number }): http.Server {
  const server = http.createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: o.headerTimeoutMs,
    // Bodies may take as long as they like: a client that got this far is trusted with that.
    requestTimeout: 0,
    keepAliveTimeout: o.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Lengths, chunks and line ends as the standard has them, nothing else.
    insecureHTTPParser: false,
  });
  Object.defineProperty(server, "listening", { get: () => true });
  server.emit("listening");
  return server;
}

/** Answers what is no request. What came behind it on the connection is never looked at. */
function refuseBytes(socket: Socket, status: number): void {
  if (!socket.writable) return void socket.destroy();
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a request came on a connection that nobody handed over");
  return value;
}
