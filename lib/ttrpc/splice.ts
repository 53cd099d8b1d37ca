// SPDX-License-Identifier: Apache-2.0
/** Joins two TTRPC connections: every frame passes untouched, and named requests go through a rewriter. */

import type { Duplex } from "node:stream";
import type { Logger } from "@logtape/logtape";

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

/** Takes over both connections; when one goes, so does the other, at once. */
export function spliceTtrpc(options: SpliceOptions): Splice {
  throw new Error(`not yet: ${options.rewriters.size}`);
}
