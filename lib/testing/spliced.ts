// SPDX-License-Identifier: Apache-2.0
/** Gives a test both far ends of two connections that a splice joins. */

import type net from "node:net";
import { getLogger } from "@logtape/logtape";
import { type Rewriters, type Splice, spliceTtrpc } from "../ttrpc/splice.ts";
import { createFramePeer, type FramePeer } from "./frame_peer.ts";
import { withSocketPair } from "./socket_pair.ts";

/** The four sockets of two joined connections. */
export interface SplicedSockets {
  /** Where the test plays the client and the server. */
  readonly client: net.Socket;
  readonly server: net.Socket;
  /** What the splice took. */
  readonly nearClient: net.Socket;
  readonly nearServer: net.Socket;
  readonly splice: Splice;
}

export interface SplicedPeers extends SplicedSockets {
  /** Bytes out and in, at the client's end. */
  readonly asking: FramePeer;
  /** Bytes out and in, at the server's end. */
  readonly answering: FramePeer;
}

/** Runs `body` between two unix sockets; the splice is destroyed, and has closed, when this resolves. */
export function withSplicedSockets(
  rewriters: Rewriters,
  body: (sockets: SplicedSockets) => Promise<void>,
): Promise<void> {
  return withSocketPair((client, nearClient) =>
    withSocketPair(async (nearServer, server) => {
      const splice = spliceTtrpc({ client: nearClient, server: nearServer, rewriters, log: getLogger("test") });
      // Either end may see its peer destroyed; only a test that cares listens for more.
      client.on("error", () => {});
      server.on("error", () => {});
      try {
        await body({ client, server, nearClient, nearServer, splice });
      } finally {
        splice.destroy();
        await splice.closed;
      }
    })
  );
}

/** The same, with a peer at either end. */
export function withSplicedPeers(rewriters: Rewriters, body: (peers: SplicedPeers) => Promise<void>): Promise<void> {
  return withSplicedSockets(rewriters, (sockets) => {
    const asking = createFramePeer(sockets.client);
    const answering = createFramePeer(sockets.server);
    return body({ ...sockets, asking, answering });
  });
}

/** Resolves when the socket has closed, also when that is by an error, at which events.once() would throw. */
export function untilClosed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.on("close", () => resolve());
  });
}
