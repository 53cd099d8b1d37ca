// SPDX-License-Identifier: Apache-2.0
/** Stops reading from a socket so that its sender feels it, which over TLS takes more than pause(). */

import tls from "node:tls";
import type { Duplex } from "node:stream";

/**
 * The part of a TLS socket that Deno does not show: the TCP handle under it. On Deno 2.9.6 `pause()` stops the
 * 'data' events only, and the runtime goes on to read, decrypt and keep whatever the peer sends: 200 MB of a paused
 * socket were measured in memory. Stopping the handle underneath bounds that to the kernel's buffers.
 */
interface TransportOwner {
  readonly _handle?: { readonly _parent?: { readStop?(): number; readStart?(): number } } | null;
}

/** Pauses the socket; bytes that the runtime has read already wait in it, further ones in the kernel. */
export function pauseReading(socket: Duplex): void {
  socket.pause();
  transportOf(socket)?.readStop?.();
}

/** Undoes `pauseReading` and pause(); harmless for a socket that is not paused. */
export function resumeReading(socket: Duplex): void {
  transportOf(socket)?.readStart?.();
  socket.resume();
}

function transportOf(socket: Duplex) {
  if (!(socket instanceof tls.TLSSocket) || socket.destroyed) return undefined;
  return (socket as TransportOwner)._handle?._parent;
}
