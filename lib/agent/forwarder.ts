// SPDX-License-Identifier: Apache-2.0
/** The guest end of the agent path: takes connections from worker nodes and joins each to one of its own to the agent. */

import type * as net from "node:net";
import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { retry } from "../net/retry.ts";
import { listenTcp } from "../net/tcp.ts";
import { listenTls, type TlsCredentials, type TlsProfile } from "../net/tls.ts";
import { checkSocketPath, dialUnix } from "../net/unix_socket.ts";
import type { Rewriters } from "../ttrpc/splice.ts";
import { type CarriedConnection, carryConnection } from "./relay_connection.ts";

/** How long a connection waits for the agent, in ms (cloud-api-adaptor `pkg/forwarder/interceptor`, dial timeout). */
const AGENT_DIAL_TIMEOUT_MS = 150_000;

/** First and longest pause between two tries to reach the agent, in ms: a container's start should not wait for us. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

/** Most connections at a time. A shim has one or two, and a VM one shim; the rest is room for checks and for caa. */
const MAX_CONNECTIONS = 256;

/** How long replies that are on their way may take when we stop, in ms. */
const STOP_GRACE_MS = 1000;

export interface ForwarderTls {
  readonly credentials: TlsCredentials;
  readonly profile: TlsProfile;
  /** Only a client with a certificate from `credentials.ca` gets in. */
  readonly requireClientCert: boolean;
}

export interface ForwarderOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Path of the agent's unix socket; it may appear later. */
  readonly agentSocket: string;
  /** Absent: no TLS. */
  readonly tls?: ForwarderTls | undefined;
  readonly rewriters: Rewriters;
  readonly log: Logger;
  /** How long a connection waits for the agent, in ms. */
  readonly agentDialTimeoutMs?: number | undefined;
}

export interface Forwarder {
  readonly address: { readonly host: string; readonly port: number };
  /** Resolves when it has stopped. */
  readonly closed: Promise<void>;
  /** Later connections are taken with these; without TLS it does nothing. */
  update(credentials: TlsCredentials): void;
  /**
   * Takes no more connections, gives replies that are on their way a second, and ends every connection: calls such as
   * WaitProcess have no end of their own to wait for.
   */
  stop(): Promise<void>;
}

/**
 * Starts listening. Nothing is asked of the agent before a client is there.
 *
 * @throws {PeerctlError} kind "config" for an unusable path or credentials; what listening failed with.
 */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const { listen, agentSocket, tls, rewriters, log } = options;
  const timeoutMs = options.agentDialTimeoutMs ?? AGENT_DIAL_TIMEOUT_MS;
  checkSocketPath(agentSocket, "agent socket");
  const connections = new Set<CarriedConnection>();
  const { promise: closed, resolve: hasClosed } = Promise.withResolvers<void>();
  let stopped: Promise<void> | undefined;

  function onConnection(downstream: net.Socket): void {
    if (stopped !== undefined || connections.size >= MAX_CONNECTIONS) {
      if (stopped === undefined) log.warn("Connection refused: too many", { limit: MAX_CONNECTIONS });
      downstream.on("error", () => {});
      downstream.destroy();
      return;
    }
    const connection = carryConnection({
      downstream,
      dial: (signal) => dialAgent({ agentSocket, timeoutMs, signal, log }),
      rewriters,
      log,
    });
    connections.add(connection);
    connection.closed.then(() => connections.delete(connection));
  }

  const tlsListener = tls && await listenTls({ ...listen, ...tls, onConnection, log });
  const listener = tlsListener ?? await listenTcp({ ...listen, onConnection });

  async function stop(): Promise<void> {
    await listener.close();
    const all = [...connections];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise<void>((resolve) => timer = setTimeout(resolve, all.length === 0 ? 0 : STOP_GRACE_MS));
    await Promise.race([grace, Promise.all(all.map((connection) => connection.closed))]);
    clearTimeout(timer);
    for (const connection of all) connection.destroy();
    await Promise.all(all.map((connection) => connection.closed));
    hasClosed();
  }

  return {
    address: listener.address,
    closed,
    update: (credentials) => tlsListener?.update(credentials),
    stop: () => stopped ??= stop(),
  };
}

/** The agent may start after us: its socket is tried again until it accepts. */
function dialAgent(o: {
  readonly agentSocket: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly log: Logger;
}): Promise<net.Socket> {
  const { agentSocket, timeoutMs, signal, log } = o;
  return retry(() => dialUnix(agentSocket, { signal, timeoutMs }), {
    signal,
    timeoutMs,
    firstDelayMs: FIRST_PAUSE_MS,
    maxDelayMs: MAX_PAUSE_MS,
    isFatal: (error) => error instanceof PeerctlError && error.kind === "config",
    onRetry(error, attempt) {
      if (attempt === 1) {
        log.info("Agent not reachable yet", { agentSocket, error: toPeerctlError(error).message });
      }
    },
  });
}
