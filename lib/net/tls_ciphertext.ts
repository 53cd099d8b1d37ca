// SPDX-License-Identifier: Apache-2.0
/** Frees what a TLS socket has read from the network as soon as it is decrypted. */

import tls from "node:tls";
import type { Duplex } from "node:stream";
import { freeBytes } from "./free_bytes.ts";

/**
 * The part of a TLS socket that Deno does not show: the TCP handle under it. On Deno 2.9.6 it gives each piece that it
 * has read, in an ArrayBuffer of its own, to a function that copies it into the TLS connection.
 */
interface TransportOwner {
  readonly _handle?: {
    readonly _parent?: { onread?: (chunk: unknown) => void; readStop?(): number; readStart?(): number };
  } | null;
}

/** Has each piece freed once it was taken, and reading begin if it has not. Does nothing for other sockets. */
export function freeCiphertext(socket: Duplex): void {
  if (!(socket instanceof tls.TLSSocket)) return;
  const transport = (socket as TransportOwner)._handle?._parent;
  const take = transport?.onread;
  if (transport === undefined || take === undefined) return;
  // The runtime looks for the function when reading starts.
  transport.readStop?.();
  transport.onread = function (chunk) {
    take.call(this, chunk);
    if (chunk instanceof ArrayBuffer) freeBytes(new Uint8Array(chunk));
  };
  transport.readStart?.();
}
