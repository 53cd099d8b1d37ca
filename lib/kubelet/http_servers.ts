// SPDX-License-Identifier: Apache-2.0
/** Speaks http/1.1 or h2 on connections whose TLS and client certificate are already verified. */

import * as http2 from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Exchange, RequestHead } from "./exchange.ts";
import { serveH1 } from "./h1_connection.ts";
import { h2Exchange } from "./h2_exchange.ts";
import { MAX_HEADER_BYTES } from "./http_parser.ts";

/** Most headers of one h2 request, pseudo-headers among them; framing.ts refuses fewer. */
const MAX_H2_HEADERS = 128;

/** Streams of one h2 connection at a time: what Go's server allows. */
const MAX_H2_STREAMS = 250;

export interface HttpHandlers<C> {
  onRequest(exchange: Exchange, connection: C): void;
  /** Only http/1.1 has these. `early` is what came behind the request. */
  onUpgrade(head: RequestHead, socket: TLSSocket, early: Uint8Array, connection: C): void;
  /**
   * The bytes are no request that can be answered, or CONNECT. `status` is what the client has been told, 0 for nothing;
   * `error` is there for what is not the client's fault.
   */
  onBadRequest(connection: C, reason: string, status: number, error?: unknown): void;
}

/** What the servers know of a connection. */
export interface Endable {
  /** No further request: answers say so. */
  readonly isEnding: boolean;
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
}

export function createHttpServers<C extends Endable>(o: HttpServersOptions<C>): HttpServers<C> {
  const sessions = new WeakMap<http2.Http2Session, C>();
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

  /** undefined: the session broke between the frame and its event, and nobody waits for an answer. */
  const connectionOf = ({ stream: { session } }: http2.Http2ServerRequest) => session && sessions.get(session);
  for (const event of ["request", "checkContinue"] as const) {
    h2.on(event, (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
      const connection = connectionOf(request);
      if (connection === undefined) return request.stream.destroy();
      try {
        o.onRequest(h2Exchange(request, response, event === "checkContinue"), connection);
      } catch (error) {
        // Nothing here is meant to throw; what does must not end the proxy.
        request.stream.destroy();
        o.onBadRequest(connection, "internal error", 0, error);
      }
    });
  }
  h2.on("connect", (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
    const connection = connectionOf(request);
    if (connection === undefined) return request.stream.destroy();
    response.writeHead(400);
    response.end();
    o.onBadRequest(connection, "CONNECT", 400);
  });
  h2.on("sessionError", () => {});

  return {
    serve(socket, connection) {
      if (socket.alpnProtocol !== "h2") {
        serveH1({
          socket,
          headerTimeoutMs: o.headerTimeoutMs,
          idleTimeoutMs: o.idleTimeoutMs,
          isEnding: () => connection.isEnding,
          onRequest: (exchange) => o.onRequest(exchange, connection),
          onUpgrade: (head, upgraded, early) => o.onUpgrade(head, upgraded, early, connection),
          onBadRequest: (...what) => o.onBadRequest(connection, ...what),
        });
        return undefined;
      }
      // It makes the session before it returns (measured).
      h2.emit("connection", socket);
      const session = opened.pop();
      if (session === undefined) throw new Error("a connection has no session");
      sessions.set(session, connection);
      // Streams under way are waited for.
      session.setTimeout(o.idleTimeoutMs, () => session.close());
      session.on("error", () => socket.destroy());
      return session;
    },
  };
}
