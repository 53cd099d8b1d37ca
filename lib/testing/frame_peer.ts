// SPDX-License-Identifier: Apache-2.0
/** A TTRPC peer made of bytes: sends what a test tells it, right or wrong, and hands out what arrives. */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { HEADER_BYTES, readHeader } from "../ttrpc/frame.ts";

export interface FramePeer {
  /** Sends bytes as they are. */
  send(...pieces: readonly Uint8Array[]): void;
  /** Resolves to the next `count` bytes; rejects when the connection ends before. */
  take(count: number): Promise<Uint8Array>;
  /** Resolves to the next whole frame, header and payload. */
  takeFrame(): Promise<Uint8Array>;
  /** Resolves when the other side has ended the connection, to whatever had arrived and was not taken. */
  readonly ended: Promise<Uint8Array>;
}

/** Creates the peer on its end of a connection; closing that stays with whoever opened it. */
export function createFramePeer(socket: Duplex): FramePeer {
  const ended = Promise.withResolvers<Uint8Array>();
  let chunks: Uint8Array[] = [];
  let arrived = 0;
  let isEnded = false;
  let wake = () => {};

  function finish(): void {
    isEnded = true;
    ended.resolve(Buffer.concat(chunks));
    wake();
  }
  socket.on("data", (chunk: Uint8Array) => {
    chunks.push(chunk);
    arrived += chunk.byteLength;
    wake();
  });
  socket.on("end", finish).on("close", finish).on("error", () => {});

  async function take(count: number): Promise<Uint8Array> {
    while (arrived < count) {
      if (isEnded) throw new Error(`the connection ended after ${arrived} of ${count} bytes`);
      await new Promise<void>((resolve) => wake = resolve);
    }
    const all = Buffer.concat(chunks);
    chunks = [all.subarray(count)];
    arrived -= count;
    return new Uint8Array(all.subarray(0, count));
  }

  return {
    send(...pieces) {
      for (const piece of pieces) socket.write(piece);
    },
    take,
    async takeFrame() {
      const header = await take(HEADER_BYTES);
      const payload = await take(readHeader(header, 0).length);
      return new Uint8Array(Buffer.concat([header, payload]));
    },
    ended: ended.promise,
  };
}
