// SPDX-License-Identifier: Apache-2.0
/** The agent path of one sandbox: waits for its agent, then listens on its agent socket and carries each connection. */

import type * as net from "node:net";
import { dirname } from "node:path";
import type { Logger } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";
import { listenUnix, type UnixListener } from "../net/unix_socket.ts";
import type { Rewriters } from "../ttrpc/splice.ts";
import { type CarriedConnection, carryConnection, type Traffic } from "./relay_connection.ts";
import type { Upstream } from "./relay_upstream.ts";

/** Connections one sandbox may have at a time; a kata shim has one, runtime-rs two. */
export const MAX_CONNECTIONS = 64;

export interface AgentPath {
  readonly connections: number;
  /** All that was carried so far, ended connections included. */
  traffic(): Traffic;
  /** Removes the agent socket and ends every connection. */
  close(): Promise<void>;
}

export interface AgentPathOptions {
  readonly agentSocket: string;
  readonly upstream: Upstream;
  /** How long an unreachable pod VM is tried, in milliseconds. */
  readonly timeoutMs: number;
  readonly rewriters: Rewriters;
  readonly log: Logger;
  /** Gives up the opening. */
  readonly signal: AbortSignal;
}

/**
 * Resolves once the agent has answered a health check; only then is there a socket at `agentSocket`.
 *
 * @throws {PeerctlError} kind "config" when the socket cannot be where it should; what `Upstream.check` throws.
 */
export async function openAgentPath(options: AgentPathOptions): Promise<AgentPath> {
  const { agentSocket, upstream, log, signal } = options;
  await checkParentFolder(agentSocket);
  await upstream.check({ timeoutMs: options.timeoutMs, signal });
  const carried = new Set<CarriedConnection>();
  const ended = { toGuestBytes: 0, toHostBytes: 0, requests: 0 };
  let isClosed = false;

  function onConnection(downstream: net.Socket): void {
    if (isClosed || carried.size >= MAX_CONNECTIONS) {
      if (!isClosed) log.warn("Agent connection refused: too many", { limit: MAX_CONNECTIONS });
      downstream.on("error", () => {});
      downstream.destroy();
      return;
    }
    const connection = carryConnection({
      downstream,
      dial: (gone) => upstream.dial(gone),
      rewriters: options.rewriters,
      log,
    });
    carried.add(connection);
    log.debug("Agent connection opened", { connections: carried.size });
    connection.closed.then(() => {
      carried.delete(connection);
      addTraffic(ended, connection.traffic());
      log.debug("Agent connection closed", { connections: carried.size });
    });
  }

  const listener = await listenUnix({ path: agentSocket, onConnection });
  const path: AgentPath = {
    get connections() {
      return carried.size;
    },
    traffic() {
      const sum = { ...ended };
      for (const connection of carried) addTraffic(sum, connection.traffic());
      return sum;
    },
    async close() {
      isClosed = true;
      await endAll(listener, carried);
    },
  };
  if (signal.aborted) {
    await path.close();
    throw new PeerctlError("closed", `Cannot open "${agentSocket}": cancelled`, { cause: signal.reason });
  }
  return path;
}

/** Adds `more` to `sum`, in place. */
export function addTraffic(sum: { -readonly [K in keyof Traffic]: Traffic[K] }, more: Traffic): void {
  sum.toGuestBytes += more.toGuestBytes;
  sum.toHostBytes += more.toHostBytes;
  sum.requests += more.requests;
}

async function endAll(listener: UnixListener, carried: ReadonlySet<CarriedConnection>): Promise<void> {
  const closed = [...carried].map((connection) => {
    connection.destroy();
    return connection.closed;
  });
  await Promise.all([listener.close(), ...closed]);
}

/** Said before anything is dialled: a missing folder would otherwise show only when the pod VM is up. */
async function checkParentFolder(agentSocket: string): Promise<void> {
  const parent = dirname(agentSocket);
  const isDirectory = await Deno.stat(parent).then((info) => info.isDirectory, () => false);
  if (!isDirectory) {
    throw new PeerctlError("config", `Cannot listen on "${agentSocket}": "${parent}" is no directory`);
  }
}
