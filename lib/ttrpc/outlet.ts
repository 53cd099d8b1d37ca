// SPDX-License-Identifier: Apache-2.0
/** Writes to a socket so that small pieces travel together while an earlier write is under way. */

import { Buffer } from "node:buffer";
import type { Writable } from "node:stream";
import { freeBytes } from "../net/free_bytes.ts";

/** Bytes not yet taken by the kernel above which a source should stop. */
export const FULL_BYTES = 256 << 10;

/** Pieces are copied together up to this many bytes; a larger one is written as it is. */
const MERGE_BYTES = 64 << 10;

export interface Outlet {
  /** Takes the bytes: their memory is freed when they are written, if nothing else lies in it. */
  write(bytes: Uint8Array): void;
  /** True from the write that went over {@link FULL_BYTES} until all is written. */
  readonly full: boolean;
  /** Bytes that were given to `write`. */
  readonly written: number;
  /** Writes what waits, ends the writing side, and calls back when the kernel has all of it. */
  end(flushed: () => void): void;
}

export interface OutletOptions {
  readonly socket: Writable;
  readonly onFull: () => void;
  /** All is written after `onFull`. */
  readonly onDrained: () => void;
}

/** Creates the outlet; from then on nobody else writes to the socket. Write errors are left to its 'error' event. */
export function createOutlet({ socket, onFull, onDrained }: OutletOptions): Outlet {
  let queue: Uint8Array[] = [];
  /** Bytes in the queue plus bytes handed to the socket and not yet taken. */
  let pending = 0;
  let writing: Uint8Array | undefined;
  let full = false;
  let written = 0;

  function send(bytes: Uint8Array): void {
    writing = bytes;
    socket.write(bytes, sent);
  }

  function sent(error: Error | null | undefined): void {
    if (error || writing === undefined) return;
    pending -= writing.byteLength;
    freeBytes(writing);
    writing = undefined;
    if (queue.length > 0) send(takeMerged());
    else if (full) {
      full = false;
      onDrained();
    }
  }

  /** Takes the next large piece, or as many small ones as fit together. */
  function takeMerged(): Uint8Array {
    let count = 0;
    let bytes = 0;
    for (const piece of queue) {
      if (count > 0 && bytes + piece.byteLength > MERGE_BYTES) break;
      bytes += piece.byteLength;
      count++;
    }
    const taken = queue.slice(0, count);
    queue = queue.slice(count);
    if (taken.length === 1) return taken[0]!;
    const merged = Buffer.concat(taken, bytes);
    taken.forEach(freeBytes);
    return merged;
  }

  return {
    write(bytes) {
      pending += bytes.byteLength;
      written += bytes.byteLength;
      if (writing !== undefined) queue.push(bytes);
      else send(bytes);
      if (!full && pending > FULL_BYTES) {
        full = true;
        onFull();
      }
    },
    get full() {
      return full;
    },
    get written() {
      return written;
    },
    end(flushed) {
      for (const bytes of queue) socket.write(bytes);
      queue = [];
      socket.end(flushed);
    },
  };
}
