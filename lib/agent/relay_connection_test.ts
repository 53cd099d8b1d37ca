// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { getLogger } from "@logtape/logtape";
import { withSocketPair } from "../testing/socket_pair.ts";
import { goldenFrame } from "../testing/golden_frames.ts";
import { carryConnection } from "./relay_connection.ts";

const log = getLogger(["peerctl", "test"]);
const rewriters = new Map();
const check = goldenFrame("F1");

Deno.test("carryConnection() delivers what was sent before the pod VM was reached", async () => {
  await withSocketPair((client, downstream) =>
    withSocketPair(async (upstream, guest) => {
      const dialled = Promise.withResolvers<typeof upstream>();
      const carried = carryConnection({ downstream, dial: () => dialled.promise, rewriters, log });
      client.write(check);
      client.write(check);
      await once(downstream, "data");
      dialled.resolve(upstream);
      assert.deepEqual(await bytes(guest, 2 * check.byteLength), Buffer.concat([check, check]));
      assert.equal(carried.traffic().requests, 2);
      client.destroy();
      await carried.closed;
    })
  );
});

Deno.test("carryConnection() gives up the dial when the client goes meanwhile", async () => {
  await withSocketPair(async (client, downstream) => {
    const asked = Promise.withResolvers<AbortSignal>();
    const carried = carryConnection({
      downstream,
      dial: (signal) => {
        asked.resolve(signal);
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      rewriters,
      log,
    });
    client.write(check);
    const signal = await asked.promise;
    client.destroy();
    await carried.closed;
    assert.equal(signal.aborted, true);
  });
});

Deno.test("carryConnection() closes the client when the pod VM cannot be reached", async () => {
  await withSocketPair(async (client, downstream) => {
    client.resume();
    const ended = once(client, "close");
    const dial = () => Promise.reject(new Error("no route"));
    await carryConnection({ downstream, dial, rewriters, log }).closed;
    await ended;
  });
});

Deno.test("carryConnection() ends one side at once when the other goes", async () => {
  for (const first of ["client", "guest"] as const) {
    await withSocketPair((client, downstream) =>
      withSocketPair(async (upstream, guest) => {
        const carried = carryConnection({ downstream, dial: () => Promise.resolve(upstream), rewriters, log });
        client.write(check);
        await bytes(guest, check.byteLength);
        const [goes, stays] = first === "client" ? [client, guest] : [guest, client];
        stays.resume();
        const noticed = once(stays, "close");
        goes.destroy();
        await Promise.all([noticed, carried.closed]);
      })
    );
  }
});

Deno.test("carryConnection() stops reading a client that sends a lot before the pod VM is reached", async () => {
  await withSocketPair(async (client, downstream) => {
    const carried = carryConnection({ downstream, dial: () => new Promise(() => {}), rewriters, log });
    const paused = once(downstream, "pause");
    client.write(new Uint8Array(8 << 20));
    await paused;
    assert.ok(downstream.bytesRead < 1 << 20);
    carried.destroy();
    await once(downstream, "close");
  });
});

/** Reads until there are `count` bytes. */
function bytes(socket: NodeJS.ReadableStream, count: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.byteLength < count) return;
      socket.off("data", onData);
      resolve(all);
    };
    socket.on("data", onData);
  });
}
