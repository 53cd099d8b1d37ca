// SPDX-License-Identifier: Apache-2.0
/** Carries one connection towards an agent: dials the next hop for it, then joins the two until either ends. */

import type * as net from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "@logtape/logtape";
import { toPeerctlError } from "../errors.ts";
import { pauseReading } from "../net/read_pause.ts";
import { type Rewriters, type Splice, spliceTtrpc } from "../ttrpc/splice.ts";

/** Bytes kept of what a client sends before the next hop is reached; past that it has to wait. */
const MAX_EARLY_BYTES = 64 * 1024;

/** What was carried, in bytes and calls. */
export interface Traffic {
  readonly toGuestBytes: number;
  readonly toHostBytes: number;
  readonly requests: number;
}

export interface CarriedConnection {
  /** Resolves when both ends are gone; never rejects. */
  readonly closed: Promise<void>;
  traffic(): Traffic;
  destroy(): void;
}

export interface CarryOptions {
  readonly downstream: net.Socket;
  /** Opens the connection to the next hop (pod VM or agent) that this one alone will use. */
  dial(signal: AbortSignal): Promise<Duplex>;
  readonly rewriters: Rewriters;
  readonly log: Logger;
}

/** Takes `downstream`. When it goes, so does the one to the next hop, one still being dialled included. */
export function carryConnection(options: CarryOptions): CarriedConnection {
  const { downstream, log } = options;
  const gone = new AbortController();
  let splice: Splice | undefined;
  downstream.on("error", (error) => log.debug("Agent client failed", { error: error.message }));
  downstream.once("close", () => gone.abort());
  const downstreamClosed = new Promise<void>((resolve) => downstream.once("close", () => resolve()));
  const early = holdEarlyBytes(downstream);

  async function run(): Promise<void> {
    let upstream: Duplex;
    try {
      upstream = await options.dial(gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) {
        log.warn("Next hop not reachable for a new connection", { error: toPeerctlError(error).message });
      }
      downstream.destroy();
      return await downstreamClosed;
    }
    upstream.on("error", (error) => log.debug("Connection to the next hop failed", { error: error.message }));
    if (gone.signal.aborted || downstream.destroyed) {
      upstream.destroy();
      return await downstreamClosed;
    }
    upstream.once("close", () => {
      if (!downstream.destroyed) log.warn("Connection to the next hop was lost");
    });
    early.giveBack();
    splice = spliceTtrpc({ client: downstream, server: upstream, rewriters: options.rewriters, log });
    await splice.closed;
    await downstreamClosed;
  }

  return {
    closed: run(),
    traffic: () => ({
      toGuestBytes: splice?.stats.toServerBytes ?? 0,
      toHostBytes: splice?.stats.toClientBytes ?? 0,
      requests: splice?.stats.requests ?? 0,
    }),
    destroy() {
      splice?.destroy();
      downstream.destroy();
    },
  };
}

/**
 * Reads on, into a small buffer: a paused socket would not tell that its other end is gone, and the dial would go on
 * for nobody.
 */
function holdEarlyBytes(socket: net.Socket): { giveBack(): void } {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const keep = (chunk: Uint8Array) => {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= MAX_EARLY_BYTES) pauseReading(socket);
  };
  // TTRPC has no half-closed state: a client that says it is done is gone (containerd/ttrpc, server.go).
  const end = () => socket.destroy();
  socket.on("data", keep);
  socket.on("end", end);
  return {
    giveBack() {
      socket.off("data", keep);
      socket.off("end", end);
      socket.pause();
      for (const chunk of chunks.reverse()) socket.unshift(chunk);
    },
  };
}
