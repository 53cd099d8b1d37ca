// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import { createFramePeer, type FramePeer } from "../testing/frame_peer.ts";
import { goldenFrame } from "../testing/golden_frames.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { createTtrpcClient, type TtrpcClient } from "./client.ts";
import { decodeRequest, encodeResponse, type ResponseEnvelope } from "./envelope.ts";
import { encodeFrame, HEADER_BYTES, MAX_PAYLOAD_BYTES, MessageType, oversizeText, readHeader } from "./frame.ts";
import { Code } from "./status.ts";

const NOTHING = new Uint8Array(0);
const SERVING = Uint8Array.fromHex("0801");

/** Runs `body` with a client and the bytes at the other end of its connection. */
function withClient(
  body: (client: TtrpcClient, peer: FramePeer, sockets: { client: net.Socket; peer: net.Socket }) => Promise<void>,
): Promise<void> {
  return withSocketPair(async (dialled, accepted) => {
    const client = createTtrpcClient(dialled);
    await body(client, createFramePeer(accepted), { client: dialled, peer: accepted });
    client.close();
    await client.closed;
  });
}

function response(streamId: number, envelope: ResponseEnvelope): Uint8Array {
  return encodeFrame({ streamId, type: MessageType.response, flags: 0 }, encodeResponse(envelope));
}

function check(client: TtrpcClient): Promise<Uint8Array> {
  return client.call("grpc.Health", "Check", NOTHING);
}

/** Makes sure that the connection still works: takes one request and answers it. */
async function assertServing(client: TtrpcClient, peer: FramePeer): Promise<void> {
  const reply = check(client);
  const { streamId } = readHeader(await peer.takeFrame(), 0);
  peer.send(response(streamId, { payload: SERVING }));
  assert.deepEqual(new Uint8Array(await reply), SERVING);
}

Deno.test("call() sends the golden requests on streams 1, 3, 5 and reads both forms of success", () =>
  withClient(async (client, peer) => {
    const first = check(client);
    const second = client.call("grpc.AgentService", "StartContainer", Uint8Array.fromHex("0a026331"), {
      timeoutMs: 60_000,
    });
    const metadata = [{ key: "k", value: "v1" }, { key: "k", value: "v2" }];
    const third = client.call("grpc.Health", "Check", NOTHING, { metadata });
    for (const name of ["F1", "F2", "F3"]) assert.deepEqual(await peer.takeFrame(), goldenFrame(name), name);
    peer.send(goldenFrame("F6"), goldenFrame("F5-rust"), goldenFrame("F4-go"));
    assert.deepEqual(new Uint8Array(await first), SERVING);
    assert.equal((await second).byteLength, 0);
    await assert.rejects(third, { name: "RpcError", code: Code.unimplemented, message: "method Nope" });
  }));

Deno.test("call() takes the Rust form of a reply with a payload and the Go form of an empty one", () =>
  withClient(async (client, peer) => {
    const replies = [check(client), check(client)];
    peer.send(goldenFrame("F4-rust"), goldenFrame("F5-go"));
    assert.deepEqual((await Promise.all(replies)).map((reply) => reply.byteLength), [SERVING.byteLength, 0]);
  }));

Deno.test("call() rejects with the server's code, text and details", () =>
  withClient(async (client, peer) => {
    const details = [{ typeUrl: "type.googleapis.com/x.Y", value: Uint8Array.of(1, 2, 3) }];
    const reply = check(client);
    peer.send(response(1, { status: { code: Code.notFound, message: "no such pod", details }, payload: NOTHING }));
    await assert.rejects(reply, { name: "RpcError", code: Code.notFound, message: "no such pod" });
    await reply.catch((error) => assert.deepEqual(new Uint8Array(error.details[0].value), details[0]!.value));
  }));

Deno.test("call() gives 200 parked calls their own replies, in whatever order they come", () =>
  withClient(async (client, peer) => {
    const names = Array.from({ length: 200 }, (_, i) => `m${i}`);
    const replies = names.map((name) => client.call("s", name, NOTHING));
    const requests: Array<{ streamId: number; method: string }> = [];
    for (const _ of names) {
      const frame = await peer.takeFrame();
      const { streamId } = readHeader(frame, 0);
      requests.push({ streamId, method: decodeRequest(frame.subarray(HEADER_BYTES)).method });
    }
    assert.deepEqual(requests.map(({ streamId }) => streamId), names.map((_, i) => 2 * i + 1));
    for (const { streamId, method } of requests.reverse()) {
      await assertServing(client, peer);
      peer.send(response(streamId, { payload: new TextEncoder().encode(method) }));
    }
    const texts = (await Promise.all(replies)).map((reply) => new TextDecoder().decode(reply));
    assert.deepEqual(texts, names);
  }));

Deno.test("call() refuses a request over the limit itself, without a stream id", () =>
  withClient(async (client, peer) => {
    // Two names of one letter and the payload's own tag and length are the other 11 bytes.
    const largest = new Uint8Array(MAX_PAYLOAD_BYTES - 11).fill(9);
    const tooLarge = client.call("s", "m", new Uint8Array(largest.byteLength + 1));
    await assert.rejects(tooLarge, { code: Code.resourceExhausted, message: oversizeText(MAX_PAYLOAD_BYTES + 1) });
    const reply = client.call("s", "m", largest);
    const frame = await peer.takeFrame();
    assert.deepEqual(readHeader(frame, 0), { length: MAX_PAYLOAD_BYTES, streamId: 1, type: 1, flags: 0 });
    peer.send(response(1, { payload: decodeRequest(frame.subarray(HEADER_BYTES)).payload }));
    assert.deepEqual(new Uint8Array(await reply), largest);
  }));

Deno.test("call() fails alone when its reply is over the limit", () =>
  withClient(async (client, peer) => {
    const replies = [check(client), check(client)];
    peer.send(Uint8Array.fromHex("00400001" + "00000001" + "0200"), new Uint8Array(MAX_PAYLOAD_BYTES + 1));
    peer.send(response(3, { payload: SERVING }));
    await assert.rejects(replies[0]!, {
      code: Code.resourceExhausted,
      message: oversizeText(MAX_PAYLOAD_BYTES + 1),
    });
    assert.deepEqual(new Uint8Array(await replies[1]!), SERVING);
  }));

Deno.test("call() is not disturbed by a reply for an unknown stream", () =>
  withClient(async (client, peer) => {
    const reply = check(client);
    peer.send(response(99, { payload: NOTHING }), goldenFrame("F7-end"), goldenFrame("F11"), goldenFrame("F4-go"));
    assert.deepEqual(new Uint8Array(await reply), SERVING);
  }));

for (const type of [MessageType.data, MessageType.request, 0x7f]) {
  Deno.test(`call() fails alone when a frame of type ${type} comes for it`, () =>
    withClient(async (client, peer) => {
      const reply = check(client);
      peer.send(encodeFrame({ streamId: 1, type, flags: 0 }, SERVING));
      await assert.rejects(reply, {
        kind: "peer",
        message: `Cannot call grpc.Health/Check: the server sent a frame of type ${type} where the response was due`,
      });
      await peer.takeFrame();
      await assertServing(client, peer);
    }));
}

Deno.test("call() fails alone when its reply does not decode", () =>
  withClient(async (client, peer) => {
    const reply = check(client);
    peer.send(encodeFrame({ streamId: 1, type: MessageType.response, flags: 0 }, Uint8Array.fromHex("0a056162")));
    await assert.rejects(reply, {
      kind: "peer",
      message: "Cannot call grpc.Health/Check: the response does not decode",
    });
    await peer.takeFrame();
    await assertServing(client, peer);
  }));

Deno.test("call() gives up at its deadline, tells the server of it, and ignores the late reply", () =>
  withClient(async (client, peer) => {
    const reply = client.call("grpc.Health", "Check", NOTHING, { timeoutMs: 20.5 });
    await assert.rejects(reply, {
      name: "RpcError",
      code: Code.deadlineExceeded,
      message: "Cannot call grpc.Health/Check: no reply within 20.5 ms",
    });
    const frame = await peer.takeFrame();
    assert.equal(decodeRequest(frame.subarray(HEADER_BYTES)).timeoutNanos, 20_500_000n);
    peer.send(response(1, { payload: SERVING }));
    await assertServing(client, peer);
  }));

Deno.test("call() sends nothing when its time is over before it starts", () =>
  withClient(async (client, peer) => {
    for (const timeoutMs of [0, -5]) {
      await assert.rejects(client.call("s", "m", NOTHING, { timeoutMs }), { code: Code.deadlineExceeded });
    }
    await assert.rejects(client.call("s", "m", NOTHING, { timeoutMs: NaN }), RangeError);
    await assert.rejects(client.call("s", "m", NOTHING, { signal: AbortSignal.abort() }), { code: Code.cancelled });
    void check(client).catch(() => {});
    assert.deepEqual(await peer.takeFrame(), goldenFrame("F1"));
  }));

Deno.test("call() accepts a timeout longer than any timer", () =>
  withClient(async (client, peer) => {
    const reply = client.call("s", "m", NOTHING, { timeoutMs: Number.MAX_VALUE });
    const frame = await peer.takeFrame();
    assert.ok(decodeRequest(frame.subarray(HEADER_BYTES)).timeoutNanos > 2n ** 62n);
    peer.send(response(1, { payload: NOTHING }));
    await reply;
  }));

Deno.test("call() rejects when its signal aborts, and the server's late reply is ignored", () =>
  withClient(async (client, peer) => {
    const controller = new AbortController();
    const reply = client.call("grpc.Health", "Check", NOTHING, { signal: controller.signal });
    await peer.takeFrame();
    const reason = new Error("pod is gone");
    controller.abort(reason);
    await assert.rejects(reply, {
      name: "RpcError",
      code: Code.cancelled,
      message: "Cannot call grpc.Health/Check: cancelled",
      cause: reason,
    });
    peer.send(response(1, { payload: SERVING }));
    await assertServing(client, peer);
  }));

Deno.test("call() says deadline exceeded when its signal is a timeout", () =>
  withClient(async (client) => {
    await assert.rejects(client.call("s", "m", NOTHING, { signal: AbortSignal.timeout(10) }), {
      code: Code.deadlineExceeded,
    });
  }));

Deno.test("close() fails every call that waits with the Go client's words", () =>
  withClient(async (client, peer) => {
    const replies = [check(client), client.call("s", "m", NOTHING, { timeoutMs: 60_000 })];
    await peer.takeFrame();
    client.close();
    for (const reply of replies) {
      await assert.rejects(reply, { kind: "closed", message: /^Cannot call .*: ttrpc: closed$/ });
    }
    assert.equal(await client.closed, undefined);
    await assert.rejects(check(client), { kind: "closed", message: "Cannot call grpc.Health/Check: ttrpc: closed" });
    await peer.ended;
  }));

Deno.test("closed resolves without an error when the server ends between frames", () =>
  withClient(async (client, peer, sockets) => {
    const reply = check(client);
    await peer.takeFrame();
    sockets.peer.end();
    await assert.rejects(reply, { kind: "closed", message: /ttrpc: closed$/ });
    assert.equal(await client.closed, undefined);
  }));

Deno.test("closed resolves to an error when the server ends inside a frame", () =>
  withClient(async (client, peer, sockets) => {
    const reply = check(client);
    await peer.takeFrame();
    sockets.peer.end(goldenFrame("F4-go").subarray(0, 13));
    await assert.rejects(reply, { kind: "closed", message: /ttrpc: closed$/ });
    assert.match(String(await client.closed), /the connection ended after 3 of 4 payload bytes/);
  }));

Deno.test("closed resolves to the error of the socket", () =>
  withClient(async (client, peer, sockets) => {
    const reply = check(client);
    await peer.takeFrame();
    const failure = new Error("cable cut");
    sockets.client.destroy(failure);
    await assert.rejects(reply, { kind: "closed", message: /ttrpc: closed$/, cause: failure });
    assert.equal(await client.closed, failure);
  }));

Deno.test("createTtrpcClient() on a connection that is gone already fails its calls", () =>
  withSocketPair(async (dialled) => {
    const closing = once(dialled, "close");
    dialled.destroy();
    await closing;
    const client = createTtrpcClient(dialled);
    await assert.rejects(check(client), { kind: "closed" });
    assert.equal(await client.closed, undefined);
  }));
