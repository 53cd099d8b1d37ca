// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import { once } from "node:events";
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { createFramePeer } from "../testing/frame_peer.ts";
import { requestFrame, responseFrame } from "../testing/frames.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { untilClosed, withSplicedPeers, withSplicedSockets } from "../testing/spliced.ts";
import { spliceTtrpc } from "./splice.ts";

Deno.test("spliceTtrpc() closes the server's connection when the client goes, in whatever state", async () => {
  const request = requestFrame(1, { payload: new Uint8Array(100) });
  const beginnings: [string, Uint8Array][] = [
    ["nothing sent", new Uint8Array(0)],
    ["inside a header", request.subarray(0, 5)],
    ["inside a payload", request.subarray(0, 50)],
    ["after a request", request],
  ];
  for (const [, bytes] of beginnings) {
    for (const leave of ["end", "destroy"] as const) {
      await withSplicedSockets(new Map(), async ({ client, server, splice }) => {
        server.resume();
        if (bytes.byteLength > 0) await new Promise((resolve) => client.write(bytes, resolve));
        client[leave]();
        await Promise.all([untilClosed(server), splice.closed]);
      });
    }
  }
});

Deno.test("spliceTtrpc() closes the client's connection when the server goes, in whatever state", async () => {
  const reply = responseFrame(1, new Uint8Array(100));
  for (const length of [0, 5, 50]) {
    for (const leave of ["end", "destroy"] as const) {
      await withSplicedPeers(new Map(), async ({ asking, server, client, splice }) => {
        if (length > 0) await new Promise((resolve) => server.write(reply.subarray(0, length), resolve));
        server[leave]();
        const rest = await asking.ended;
        await Promise.all([untilClosed(client), splice.closed]);
        // An incomplete header never left; an incomplete payload had.
        assert.equal(rest.byteLength, length < 10 ? 0 : length);
      });
    }
  }
});

Deno.test("spliceTtrpc() gives the client the replies that came before the server closed", async () => {
  await withSplicedPeers(new Map(), async ({ asking, server }) => {
    const replies = [responseFrame(1, Buffer.alloc(1 << 20, 1)), responseFrame(3, Buffer.alloc(3 << 20, 3))];
    for (const reply of replies) server.write(reply);
    server.end();
    const arrived = await asking.ended;
    assert.ok(Buffer.compare(arrived, Buffer.concat(replies)) === 0, `${arrived.byteLength} bytes arrived`);
  });
});

Deno.test("spliceTtrpc() gives the client what its socket had not taken when the server closed", async () => {
  await withSplicedSockets(new Map(), async ({ client, server, nearClient, nearServer }) => {
    client.pause();
    const replies: Uint8Array[] = [];
    let isTaken = true;
    while (isTaken) {
      const reply = responseFrame(2 * replies.length + 1, Buffer.alloc(30_000, replies.length));
      replies.push(reply);
      const read = once(nearServer, "data");
      server.write(reply);
      await read;
      await new Promise((resolve) => setImmediate(resolve));
      isTaken = nearClient.writableLength === 0;
    }
    const ended = once(nearServer, "close");
    server.end();
    await ended;
    const arrived = await createFramePeer(client.resume()).ended;
    assert.ok(Buffer.compare(arrived, Buffer.concat(replies)) === 0, `${arrived.byteLength} bytes arrived`);
  });
});

Deno.test("spliceTtrpc() does not wait long for a client that takes no replies after the server closed", async () => {
  await withSplicedSockets(new Map(), async ({ client, server, nearClient, nearServer, splice }) => {
    client.pause();
    server.write(responseFrame(1, new Uint8Array(2 << 20)));
    if (!nearServer.isPaused()) await once(nearServer, "pause");
    // As if the reset had come: the splice cannot see it while it does not read.
    nearServer.destroy(new Error("reset"));
    assert.ok(nearClient.writableLength > 0);
    await splice.closed;
  });
});

Deno.test("spliceTtrpc() closes both when a socket fails, and leaves no error unhandled", async () => {
  for (const side of ["nearClient", "nearServer"] as const) {
    await withSplicedSockets(new Map(), async (sockets) => {
      sockets.client.resume();
      sockets.server.resume();
      sockets[side].destroy(new Error("boom"));
      await Promise.all([untilClosed(sockets.client), untilClosed(sockets.server), sockets.splice.closed]);
      sockets[side].emit("error", new Error("late"));
    });
  }
});

Deno.test("spliceTtrpc() closes at once what is left of a pair of which one is closed already", async () => {
  for (const which of ["client", "server"] as const) {
    await withSocketPair((far, client) =>
      withSocketPair(async (server, farther) => {
        const gone = which === "client" ? client : server;
        gone.destroy();
        await once(gone, "close");
        const splice = spliceTtrpc({ client, server, rewriters: new Map(), log: getLogger("test") });
        const left = which === "client" ? farther : far;
        left.resume();
        await Promise.all([splice.closed, untilClosed(left)]);
      })
    );
  }
});

Deno.test("destroy() closes both connections, and again does nothing", async () => {
  await withSplicedSockets(new Map(), async ({ client, server, splice }) => {
    client.resume();
    server.resume();
    splice.destroy();
    splice.destroy();
    await Promise.all([untilClosed(client), untilClosed(server), splice.closed]);
  });
});

Deno.test("spliceTtrpc() reads what had arrived before it took the sockets", async () => {
  await withSocketPair((far, client) =>
    withSocketPair(async (server, farther) => {
      client.pause();
      server.pause();
      const asking = createFramePeer(far);
      const answering = createFramePeer(farther);
      asking.send(requestFrame(1));
      answering.send(responseFrame(1));
      const splice = spliceTtrpc({ client, server, rewriters: new Map(), log: getLogger("test") });
      assert.deepEqual(await answering.takeFrame(), requestFrame(1));
      assert.deepEqual(await asking.takeFrame(), responseFrame(1));
      splice.destroy();
      await splice.closed;
    })
  );
});
