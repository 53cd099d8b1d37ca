// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { dataFrame, frameHeader, readAnswer, requestFrame, responseFrame } from "../testing/frames.ts";
import { type SplicedPeers, withSplicedPeers, withSplicedSockets } from "../testing/spliced.ts";
import { createTtrpcClient } from "./client.ts";
import { Flag, MAX_PAYLOAD_BYTES, MessageType } from "./frame.ts";
import { createTtrpcServer, type UnaryHandler } from "./server.ts";
import type { Rewriters } from "./splice.ts";
import { Code } from "./status.ts";

const NOTHING = new Uint8Array(0);

/** A method whose requests wait until a test lets them go, oldest first. */
function heldMethod() {
  const waiting: (() => void)[] = [];
  const rewriters: Rewriters = new Map([
    ["t.S/Held", (payload) => new Promise((resolve) => waiting.push(() => resolve(payload)))],
  ]);
  return { rewriters, release: () => waiting.shift()?.() };
}

const held = (streamId: number, flags = 0) => requestFrame(streamId, { method: "Held" }, flags);

/** Runs `body` after requests 1 and 5 have gone through and 3, held before 5, was sent as 7. */
function withRenumbered(flags: number, body: (peers: SplicedPeers & { release: () => void }) => Promise<void>) {
  const { rewriters, release } = heldMethod();
  return withSplicedPeers(rewriters, async (peers) => {
    const { asking, answering } = peers;
    asking.send(requestFrame(1), held(3, flags), requestFrame(5));
    assert.deepEqual(await answering.takeFrame(), requestFrame(1));
    assert.deepEqual(await answering.takeFrame(), requestFrame(5));
    release();
    assert.deepEqual(await answering.takeFrame(), held(7, flags));
    await body({ ...peers, release });
  });
}

Deno.test("spliceTtrpc() leaves ids alone when nothing has overtaken the held request", async () => {
  const { rewriters, release } = heldMethod();
  await withSplicedPeers(rewriters, async ({ asking, answering }) => {
    asking.send(requestFrame(1), held(3));
    assert.deepEqual(await answering.takeFrame(), requestFrame(1));
    release();
    assert.deepEqual(await answering.takeFrame(), held(3));
    asking.send(requestFrame(9));
    assert.deepEqual(await answering.takeFrame(), requestFrame(9));
  });
});

Deno.test("spliceTtrpc() translates replies back, in any order, and keeps calls in flight as they are", async () => {
  await withRenumbered(0, async ({ asking, answering }) => {
    asking.send(requestFrame(7), requestFrame(9));
    assert.deepEqual(await answering.takeFrame(), requestFrame(9));
    assert.deepEqual(await answering.takeFrame(), requestFrame(11));
    const replies = [[11, 9], [7, 3], [1, 1], [9, 7], [5, 5]] as const;
    answering.send(...replies.map(([serverId]) => responseFrame(serverId, Buffer.of(serverId))));
    for (const [serverId, clientId] of replies) {
      assert.deepEqual(await asking.takeFrame(), responseFrame(clientId, Buffer.of(serverId)));
    }
  });
});

Deno.test("spliceTtrpc() translates the Data frames of streams, both ways, until the server ends them", async () => {
  await withRenumbered(Flag.remoteOpen, async ({ asking, answering }) => {
    const a = Buffer.from("a");
    asking.send(dataFrame(3, a), dataFrame(1, a));
    assert.deepEqual(await answering.takeFrame(), dataFrame(7, a));
    assert.deepEqual(await answering.takeFrame(), dataFrame(1, a));
    answering.send(dataFrame(7, a), dataFrame(7, NOTHING), dataFrame(7, NOTHING, Flag.remoteClosed | Flag.noData));
    assert.deepEqual(await asking.takeFrame(), dataFrame(3, a));
    assert.deepEqual(await asking.takeFrame(), dataFrame(3, NOTHING));
    assert.deepEqual(await asking.takeFrame(), dataFrame(3, NOTHING, Flag.remoteClosed | Flag.noData));

    // Both ends number a new stream; the ended one is known to neither.
    asking.send(requestFrame(7));
    assert.deepEqual(await answering.takeFrame(), requestFrame(9));
    answering.send(dataFrame(7, a), responseFrame(9));
    assert.deepEqual(await asking.takeFrame(), responseFrame(7), "the late frame of stream 7 is not for anyone");
  });
});

Deno.test("spliceTtrpc() lets no Data frame of an ended stream reach another one", async () => {
  await withRenumbered(0, async ({ asking, answering }) => {
    asking.send(requestFrame(7), requestFrame(9));
    await answering.takeFrame();
    await answering.takeFrame();
    answering.send(responseFrame(9));
    assert.deepEqual(await asking.takeFrame(), responseFrame(7));
    asking.send(dataFrame(7), requestFrame(11));
    assert.deepEqual(readAnswer(await asking.takeFrame()).code, Code.invalidArgument);
    assert.deepEqual(await answering.takeFrame(), requestFrame(13), "stream 7 of the server is the client's 3");
  });
});

Deno.test("spliceTtrpc() gives no fresh id to a request with a used or even one", async () => {
  await withRenumbered(0, async ({ asking, answering }) => {
    for (const id of [5, 3, 1, 8, 0]) {
      asking.send(requestFrame(id), held(id));
      for (let i = 0; i < 2; i++) {
        const { streamId, code } = readAnswer(await asking.takeFrame());
        assert.deepEqual([streamId, code], [id, Code.invalidArgument]);
      }
    }
    asking.send(requestFrame(7));
    assert.deepEqual(await answering.takeFrame(), requestFrame(9));
  });
});

Deno.test("spliceTtrpc() passes used and even ids as long as nothing is renumbered", async () => {
  const { rewriters } = heldMethod();
  await withSplicedPeers(rewriters, async ({ asking, answering }) => {
    for (const id of [5, 5, 3, 8, 0, 7]) {
      asking.send(requestFrame(id));
      assert.deepEqual(await answering.takeFrame(), requestFrame(id));
    }
  });
});

Deno.test("spliceTtrpc() refuses the id of a request that is held, which the server would take for a new one", async () => {
  const { rewriters, release } = heldMethod();
  await withSplicedPeers(rewriters, async ({ asking, answering }) => {
    asking.send(held(3), requestFrame(3), held(3));
    for (let i = 0; i < 2; i++) {
      const { streamId, code } = readAnswer(await asking.takeFrame());
      assert.deepEqual([streamId, code], [3, Code.invalidArgument]);
    }
    release();
    assert.deepEqual(await answering.takeFrame(), held(3));
  });
});

Deno.test("spliceTtrpc() names the client's id in the error for an oversized reply", async () => {
  await withRenumbered(0, async ({ asking, answering }) => {
    const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
    answering.send(frameHeader(payload.byteLength, 7, MessageType.response), payload, responseFrame(1));
    const { streamId, code } = readAnswer(await asking.takeFrame());
    assert.deepEqual([streamId, code], [3, Code.resourceExhausted]);
    assert.deepEqual(await asking.takeFrame(), responseFrame(1));
  });
});

/** Our client on one side of a splice and our server, which refuses ids that do not grow, on the other. */
function withCalls(
  rewriters: Rewriters,
  methods: Record<string, UnaryHandler>,
  body: (client: ReturnType<typeof createTtrpcClient>) => Promise<void>,
): Promise<void> {
  return withSplicedSockets(rewriters, async ({ client: socket, server: accepted }) => {
    const services = new Map([["t.S", new Map(Object.entries(methods))]]);
    const server = createTtrpcServer({ services, log: getLogger("test") });
    server.serve(accepted);
    const client = createTtrpcClient(socket);
    try {
      await body(client);
    } finally {
      client.close();
      await client.closed;
      server.close();
      await server.shutdown();
    }
  });
}

const echo: UnaryHandler = (payload) => Promise.resolve(payload);

Deno.test("a server that refuses ids which do not grow accepts an overtaken request", async () => {
  const { rewriters, release } = heldMethod();
  let end = () => {};
  const parked: UnaryHandler = (payload) => new Promise((resolve) => end = () => resolve(payload));
  await withCalls(rewriters, { Held: echo, Plain: echo, Wait: parked }, async (client) => {
    const wait = client.call("t.S", "Wait", Buffer.from("w"));
    const create = client.call("t.S", "Held", Buffer.from("h"));
    assert.equal(Buffer.from(await client.call("t.S", "Plain", Buffer.from("1"))).toString(), "1");
    release();
    assert.equal(Buffer.from(await create).toString(), "h");
    assert.equal(Buffer.from(await client.call("t.S", "Plain", Buffer.from("2"))).toString(), "2");
    end();
    assert.equal(Buffer.from(await wait).toString(), "w");
  });
});

Deno.test("200 parked calls and traffic with overtaken requests each get their own reply", async () => {
  const { rewriters, release } = heldMethod();
  const parked: (() => void)[] = [];
  const wait: UnaryHandler = (payload) => new Promise((resolve) => parked.push(() => resolve(payload)));
  await withCalls(rewriters, { Held: echo, Plain: echo, Wait: wait }, async (client) => {
    const call = async (method: string, text: string) => {
      assert.equal(Buffer.from(await client.call("t.S", method, Buffer.from(text))).toString(), text);
    };
    const waits = Array.from({ length: 200 }, (_, i) => call("Wait", `wait ${i}`));
    for (let round = 0; round < 50; round++) {
      const creates = [call("Held", `held ${round}`), call("Held", `and ${round}`)];
      await Promise.all([call("Plain", `plain ${round}`), call("Plain", "x".repeat(round * 1000))]);
      release();
      await call("Plain", `between ${round}`);
      release();
      await Promise.all(creates);
    }
    assert.equal(parked.length, 200);
    for (const end of parked.toReversed()) end();
    await Promise.all(waits);
  });
});
