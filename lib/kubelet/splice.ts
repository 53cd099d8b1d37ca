// SPDX-License-Identifier: Apache-2.0
/** Joins two sockets: bytes both ways in bounded memory, and the end of one direction without the other. */

import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { pauseReading, resumeReading } from "../net/read_pause.ts";

export interface SpliceResult {
  readonly fromClient: number;
  readonly fromKubelet: number;
}

export interface SpliceOptions {
  /** Both are closed when no byte has passed either way for this long, in milliseconds. */
  readonly idleMs: number;
}

/**
 * Carries bytes until both directions have ended, or one socket breaks, which breaks the other. Both must be allowed
 * to be half open.
 */
export function splice(client: Socket, kubelet: Socket, { idleMs }: SpliceOptions): Promise<SpliceResult> {
  const counts = { fromClient: 0, fromKubelet: 0 };
  const { promise, resolve } = Promise.withResolvers<SpliceResult>();
  let open = 2;
  const breakOff = () => {
    client.destroy();
    kubelet.destroy();
  };
  const onClose = () => {
    breakOff();
    if (--open === 0) resolve(counts);
  };
  for (const socket of [client, kubelet]) {
    socket.on("error", breakOff);
    socket.once("close", onClose);
    socket.setTimeout(idleMs);
    socket.on("timeout", breakOff);
  }
  // Traffic in one direction keeps both alive.
  const direction = (from: Socket, to: Socket, name: keyof typeof counts) => {
    carry(from, to, from, (bytes) => {
      counts[name] += bytes;
      to.setTimeout(idleMs);
    });
    from.once("end", () => {
      to.end();
      if (to.readableEnded) breakOffWhenFlushed(client, kubelet);
    });
  };
  direction(client, kubelet, "fromClient");
  direction(kubelet, client, "fromKubelet");
  return promise;
}

/**
 * Writes what `from` reads to `to`, no faster than `to` takes it. `transport` is the socket under `from`; undefined
 * for an http/2 stream, which has flow control of its own.
 */
export function carry(
  from: Readable,
  to: Writable,
  transport: Socket | undefined,
  onBytes: (count: number) => void,
): void {
  from.on("data", (chunk: Uint8Array) => {
    onBytes(chunk.byteLength);
    if (to.writableEnded || to.destroyed || to.write(chunk)) return;
    from.pause();
    if (transport !== undefined) pauseReading(transport);
    to.once("drain", () => {
      if (transport !== undefined) resumeReading(transport);
      from.resume();
    });
  });
}

/** Both directions have ended: each socket may close once what is written to it is gone. */
function breakOffWhenFlushed(...sockets: Socket[]): void {
  for (const socket of sockets) socket.destroySoon();
}
