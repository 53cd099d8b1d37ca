// SPDX-License-Identifier: Apache-2.0
/** Serves unary methods on any number of TTRPC connections. */

import type { Logger } from "@logtape/logtape";
import type { Duplex } from "node:stream";
import type { KeyValue } from "./envelope.ts";

/** What a handler knows about its call besides the payload. */
export interface CallContext {
  readonly service: string;
  readonly method: string;
  /** Aborted when the deadline passes, the connection ends or the server closes. */
  readonly signal: AbortSignal;
  /** As sent: ns from arrival, 0 none, negative over already. */
  readonly timeoutNanos: bigint;
  readonly metadata: readonly KeyValue[];
  /** Counts the connections of one server, from 1. */
  readonly connectionId: number;
}

/** Answers one call with the bytes of the reply, or throws (see statusFrom). */
export type UnaryHandler = (payload: Uint8Array, context: CallContext) => Promise<Uint8Array>;

/** Service name on the wire ("grpc.Health") to method name ("Check") to handler. */
export type Services = ReadonlyMap<string, ReadonlyMap<string, UnaryHandler>>;

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
  /** Closes idle connections, lets active calls end, refuses new ones; an aborted `signal` makes it `close()`. */
  shutdown(signal?: AbortSignal): Promise<void>;
  /** Destroys every connection at once and aborts every call. */
  close(): void;
}

export function createTtrpcServer(_options: TtrpcServerOptions): TtrpcServer {
  throw new Error("being written");
}
