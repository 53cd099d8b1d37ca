// SPDX-License-Identifier: Apache-2.0
/** Gives a test two connected unix sockets and closes them afterwards. */

import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { withTempDir } from "./temp_dir.ts";

/** Runs `body` with the dialling and the accepted end of one connection; both are destroyed when it is done. */
export function withSocketPair<T>(body: (dialled: net.Socket, accepted: net.Socket) => Promise<T> | T): Promise<T> {
  return withTempDir(async (dir) => {
    const path = join(dir, "pair.sock");
    const listener = net.createServer();
    await once(listener.listen(path), "listening");
    const accepting = once(listener, "connection");
    const dialled = net.connect(path);
    const [accepted] = await accepting as [net.Socket];
    const closed = once(listener.close(), "close");
    try {
      return await body(dialled, accepted);
    } finally {
      await Promise.all([closed, destroyed(dialled), destroyed(accepted)]);
    }
  });
}

/** Destroys a socket and waits until it has let go of its descriptor. */
async function destroyed(socket: net.Socket): Promise<void> {
  if (socket.closed) return;
  socket.on("error", () => {});
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
}
