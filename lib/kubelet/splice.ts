// SPDX-License-Identifier: Apache-2.0
/** Joins two sockets: bytes both ways in bounded memory, and the end of one direction without the other. */

import type { Socket } from "node:net";
import { pauseReading, resumeReading } from "../net/read_pause.ts";
import { createDeadline } from "./deadline.ts";
import { isFull } from "./message_writer.ts";

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
  // One for both: traffic in one direction keeps the other alive.
  const idle = createDeadline();
  let open = 2;
  const breakOff = () => {
    client.destroy();
    kubelet.destroy();
  };
  const onClose = () => {
    breakOff();
    idle.close();
    if (--open === 0) resolve(counts);
  };
  idle.set(idleMs, breakOff);
  for (const socket of [client, kubelet]) {
    socket.on("error", breakOff);
    socket.once("close", onClose);
  }
  const direction = (from: Socket, to: Socket, name: keyof typeof counts) => {
    from.on("data", (chunk: Uint8Array) => {
      counts[name] += chunk.byteLength;
      idle.set(idleMs, breakOff);
      if (to.writableEnded || to.destroyed) return;
      to.write(chunk);
      if (!isFull(to)) return;
      pauseReading(from);
      to.once("drain", () => resumeReading(from));
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

/** Both directions have ended: each socket may close once what is written to it is gone. */
function breakOffWhenFlushed(...sockets: Socket[]): void {
  for (const socket of sockets) socket.destroySoon();
}
