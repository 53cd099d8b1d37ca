// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import { once } from "node:events";
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { createFramePeer } from "../testing/frame_peer.ts";
import { frameHeader, requestFrame, responseFrame } from "../testing/frames.ts";
import { withSplicedPeers, withSplicedSockets } from "../testing/spliced.ts";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import { FULL_BYTES } from "./outlet.ts";

const MIB = 1 << 20;

/** More than a unix socket's own buffer and the chunks around it take, in bytes; all that is sent is much more. */
const KERNEL_BYTES = 1 << 20;

/** Resolves when `socket` has been told to pause. */
async function untilPaused(socket: Duplex): Promise<void> {
  if (!socket.isPaused()) await once(socket, "pause");
}

Deno.test("spliceTtrpc() stops reading the server when the client reads slowly, and loses nothing", async () => {
  await withSplicedSockets(new Map(), async ({ client, server, nearServer, splice }) => {
    client.pause();
    const count = 16;
    const reply = (i: number) => responseFrame(2 * i + 1, Buffer.alloc(MIB, i));
    for (let i = 0; i < count; i++) server.write(reply(i));

    await untilPaused(nearServer);
    const read = splice.stats.toClientBytes;
    assert.ok(read < FULL_BYTES + KERNEL_BYTES, `${read} bytes were read for a client that takes none`);

    const asking = createFramePeer(client.resume());
    for (let i = 0; i < count; i++) {
      assert.ok(Buffer.compare(await asking.takeFrame(), reply(i)) === 0, `reply ${i} changed`);
    }
    assert.equal(nearServer.isPaused(), false);
  });
});

Deno.test("spliceTtrpc() stops reading the client when the server reads slowly, and replies still pass", async () => {
  await withSplicedSockets(new Map(), async ({ client, server, nearClient }) => {
    server.pause();
    const count = 8;
    const request = (i: number) => requestFrame(2 * i + 1, { payload: Buffer.alloc(MIB, i) });
    for (let i = 0; i < count; i++) client.write(request(i));
    await untilPaused(nearClient);

    const asking = createFramePeer(client);
    server.write(responseFrame(1));
    assert.deepEqual(await asking.takeFrame(), responseFrame(1));

    const answering = createFramePeer(server.resume());
    for (let i = 0; i < count; i++) {
      assert.ok(Buffer.compare(await answering.takeFrame(), request(i)) === 0, `request ${i} changed`);
    }
    assert.equal(nearClient.isPaused(), false);
  });
});

Deno.test("spliceTtrpc() stops reading a client that does not take the answers it causes", async () => {
  const held = new Map([["t.S/Held", () => Promise.reject(new Error("x".repeat(100_000)))]]);
  await withSplicedSockets(held, async ({ client, nearClient, splice }) => {
    client.pause();
    let id = 1;
    // Each request is answered with a hundred thousand bytes; sooner or later the splice must not take more of them.
    const paused = untilPaused(nearClient);
    const sending = setInterval(() => {
      client.write(requestFrame(id, { method: "Held" }));
      id += 2;
    }, 0);
    await paused;
    clearInterval(sending);
    assert.ok(splice.stats.toClientBytes < 4 * MIB);

    const asking = createFramePeer(client.resume());
    for (let i = 1; i < id; i += 2) await asking.takeFrame();
    assert.equal(nearClient.isPaused(), false);
  });
});

Deno.test("spliceTtrpc() stops reading a client whose answers wait for a frame of the server to end", async () => {
  await withSplicedPeers(new Map(), async ({ asking, answering, client, nearClient }) => {
    const reply = responseFrame(1, new Uint8Array(100));
    answering.send(reply.subarray(0, 50));
    await asking.take(50);
    const oversized = Buffer.concat([frameHeader(MAX_PAYLOAD_BYTES + 1, 1, 1), new Uint8Array(MAX_PAYLOAD_BYTES + 1)]);
    const answers = 1000;
    for (let i = 0; i < answers && !nearClient.isPaused(); i++) nearClient.emit("data", oversized);
    assert.equal(nearClient.isPaused(), true);
    answering.send(reply.subarray(50));
    await asking.take(reply.byteLength - 50);
    await asking.takeFrame();
    if (nearClient.isPaused()) await once(nearClient, "resume");
    client.write(requestFrame(3));
    assert.deepEqual(await answering.takeFrame(), requestFrame(3));
  });
});

Deno.test("spliceTtrpc() keeps a silent connection open and writes nothing on it", async () => {
  await withSplicedPeers(new Map(), async ({ asking, answering, splice, nearClient, nearServer }) => {
    // Node's own idle timer is what would end it.
    assert.deepEqual([nearClient.timeout, nearServer.timeout], [undefined, undefined]);
    answering.send(responseFrame(1));
    await asking.takeFrame();
    assert.equal(splice.stats.toServerBytes, 0);
    asking.send(requestFrame(1));
    assert.deepEqual(await answering.takeFrame(), requestFrame(1));
  });
});
