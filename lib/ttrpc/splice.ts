// SPDX-License-Identifier: Apache-2.0
/** Joins two TTRPC connections: every frame passes untouched, and named requests go through a rewriter. */

import type { Duplex } from "node:stream";
import type { Logger } from "@logtape/logtape";
import { pauseReading, resumeReading } from "../net/read_pause.ts";
import { freeCiphertext } from "../net/tls_ciphertext.ts";
import { createOutlet } from "./outlet.ts";
import { createReplyDirection } from "./reply_direction.ts";
import { createRequestDirection } from "./request_direction.ts";
import { createStreamIds } from "./stream_ids.ts";

/** How long a client may take, in ms, to accept the last replies after the server is gone. */
const FLUSH_MS = 1000;

/** What a rewriter may know of the call besides its payload. */
export interface RewriteContext {
  /** Aborts when the splice closes or the request's own timeout passes. */
  readonly signal: AbortSignal;
  /** The request's timeout_nano: relative, in nanoseconds; 0 means none. */
  readonly timeoutNanos: bigint;
}

/**
 * Gets the payload of a request envelope (its field 3) and returns what is sent in its place. When it throws, the
 * client is answered with `statusFrom(error)` and nothing is forwarded.
 */
export type Rewriter = (payload: Uint8Array, context: RewriteContext) => Uint8Array | Promise<Uint8Array>;

/** Keys are `package.Service/Method`, for example `grpc.AgentService/CreateContainer`. */
export type Rewriters = ReadonlyMap<string, Rewriter>;

/** Live counters of one splice; bytes are what was handed to each socket. */
export interface SpliceStats {
  readonly toServerBytes: number;
  readonly toClientBytes: number;
  /** Request frames received from the client. */
  readonly requests: number;
  /** Response frames received from the server. */
  readonly responses: number;
  /** Requests that wait for their rewriter now. */
  readonly held: number;
}

export interface Splice {
  /** Resolves when both sockets have closed. */
  readonly closed: Promise<void>;
  readonly stats: SpliceStats;
  /** Closes both connections at once. */
  destroy(): void;
}

export interface SpliceOptions {
  /** The connection whose peer sends requests. */
  readonly client: Duplex;
  /** The connection whose peer answers them. */
  readonly server: Duplex;
  readonly rewriters: Rewriters;
  readonly log: Logger;
}

/** Why the client is not read for now. */
type Obstacle = "server is full" | "too much is held" | "answers are not taken";

/**
 * Takes over both connections; when one goes, so does the other, at once. Complete replies that have arrived by then
 * are still given to the client.
 *
 * The chunks that the sockets emit are written on without a copy, changed in place and freed: nobody else may keep them.
 */
export function spliceTtrpc(options: SpliceOptions): Splice {
  const { client, server, rewriters, log } = options;
  const stats = {
    requests: 0,
    responses: 0,
    held: 0,
    get toServerBytes() {
      return toServer.written;
    },
    get toClientBytes() {
      return toClient.written;
    },
  };
  const ids = createStreamIds(() => log.debug("TTRPC stream ids renumbered"));
  const obstacles = new Set<Obstacle>();
  let over = false;
  let flushTimer: ReturnType<typeof setTimeout> | undefined;

  const toServer = createOutlet({
    socket: server,
    onFull: () => setObstacle("server is full", true),
    onDrained: () => setObstacle("server is full", false),
  });
  const toClient = createOutlet({
    socket: client,
    onFull: () => pauseReading(server),
    onDrained: () => {
      if (!over) resumeReading(server);
      updateCrowded();
    },
  });
  const replies = createReplyDirection({ ids, outlet: toClient, stats });
  const requests = createRequestDirection({
    ids,
    rewriters,
    outlet: toServer,
    stats,
    answer(streamId, status) {
      replies.answer(streamId, status);
      updateCrowded();
    },
    onRoom: (room) => setObstacle("too much is held", !room),
  });

  function setObstacle(obstacle: Obstacle, present: boolean): void {
    if (over || obstacles.has(obstacle) === present) return;
    if (present) obstacles.add(obstacle);
    else obstacles.delete(obstacle);
    if (obstacles.size === 0) resumeReading(client);
    else pauseReading(client);
  }

  function updateCrowded(): void {
    setObstacle("answers are not taken", replies.crowded);
  }

  /** Ends everything but the client's socket; false when that has happened before. */
  function stop(reason: string, error?: Error): boolean {
    if (over) return false;
    over = true;
    requests.close();
    server.destroy();
    log.debug("TTRPC connections closed", { reason, error: error?.message, ...stats });
    return true;
  }

  function clientGone(reason: string, error?: Error): void {
    stop(reason, error);
    client.destroy();
  }

  function serverGone(reason: string, error?: Error): void {
    if (!stop(reason, error)) return;
    flushTimer = setTimeout(() => client.destroy(), FLUSH_MS);
    toClient.end(() => client.destroy());
    // What the client still sends is read and thrown away: a socket closed with bytes unread resets the connection.
    resumeReading(client);
  }

  client.on("data", (chunk: Uint8Array) => {
    if (!over) requests.push(chunk);
  });
  server.on("data", (chunk: Uint8Array) => {
    if (over) return;
    replies.push(chunk);
    if (obstacles.has("answers are not taken")) updateCrowded();
  });
  client.on("end", () => clientGone("client ended"));
  client.on("error", (error) => clientGone("client failed", error));
  client.on("close", () => clientGone("client closed"));
  server.on("end", () => serverGone("server ended"));
  server.on("error", (error) => serverGone("server failed", error));
  server.on("close", () => serverGone("server closed"));
  freeCiphertext(client);
  freeCiphertext(server);
  resumeReading(client);
  resumeReading(server);

  const closed = Promise.all([untilClosed(client), untilClosed(server)]).then(() => clearTimeout(flushTimer));
  if (client.destroyed) clientGone("client closed");
  else if (server.destroyed) serverGone("server closed");

  return { closed, stats, destroy: () => clientGone("closed by us") };
}

function untilClosed(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}
