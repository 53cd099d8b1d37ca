// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import fc from "fast-check";
import { dataFrame, frameHeader, requestFrame, responseFrame } from "../testing/frames.ts";
import { goldenFrame, goldenFrames } from "../testing/golden_frames.ts";
import { type SplicedPeers, withSplicedPeers, withSplicedSockets } from "../testing/spliced.ts";
import { encodeFrame, HEADER_BYTES, MAX_PAYLOAD_BYTES } from "./frame.ts";
import type { Rewriters } from "./splice.ts";
import { Code } from "./status.ts";

/** Nothing in these tests may reach it. */
const REWRITERS: Rewriters = new Map([["t.S/Held", () => assert.fail("a request that nobody named was rewritten")]]);

/** Whole frames among the golden ones, in the order of their file. */
const WHOLE_FRAMES = goldenFrames.filter(({ name }) => !name.endsWith("header")).map(({ bytes }) => bytes);

const REQUESTS = ["F1", "F2", "F3", "F7-open", "F8-go", "F8-rust", "F13", "F14", "F15", "F16-in", "F17-in"]
  .map(goldenFrame);

/** Sends `bytes` one way and asserts that they arrive as they are, and nothing comes back. */
async function assertPasses(from: SplicedPeers["asking"], to: SplicedPeers["asking"], bytes: Uint8Array) {
  from.send(bytes);
  const arrived = await to.take(bytes.byteLength);
  assert.ok(Buffer.compare(arrived, bytes) === 0, "bytes changed on their way");
}

Deno.test("spliceTtrpc() passes every golden frame byte for byte in both directions", async () => {
  for (const rewriters of [REWRITERS, new Map()]) {
    await withSplicedPeers(rewriters, async (peers) => {
      for (const frame of WHOLE_FRAMES) {
        await assertPasses(peers.asking, peers.answering, frame);
        await assertPasses(peers.answering, peers.asking, frame);
      }
      const all = Buffer.concat(WHOLE_FRAMES);
      await assertPasses(peers.asking, peers.answering, all);
      await assertPasses(peers.answering, peers.asking, all);
    });
  }
});

Deno.test("spliceTtrpc() passes unknown types, flags, services and status details", async () => {
  const odd = [
    encodeFrame({ streamId: 15, type: 0x7f, flags: 0xff }, Buffer.from("what")),
    encodeFrame({ streamId: 0, type: 0, flags: 0 }, Buffer.from("what")),
    requestFrame(17, { service: "no.Such", method: "Thing", metadata: [{ key: "k", value: "v" }] }, 0xf8),
    dataFrame(17, Buffer.from("x"), 0x05),
  ];
  const details = [{ typeUrl: "type.example/x", value: Buffer.from("detail") }];
  await withSplicedPeers(REWRITERS, async ({ asking, answering }) => {
    for (const frame of odd) await assertPasses(asking, answering, frame);
    await assertPasses(answering, asking, responseFrame(17, { code: 99, message: "m", details }));
    for (const frame of odd) await assertPasses(answering, asking, frame);
  });
});

Deno.test("spliceTtrpc() passes frames that arrive byte by byte", async () => {
  await withSplicedPeers(REWRITERS, async ({ asking, answering, nearClient }) => {
    const frames = Buffer.concat(REQUESTS);
    // The socket's own event, so that each byte is a chunk of its own.
    for (const byte of frames) nearClient.emit("data", Buffer.of(byte));
    assert.deepEqual(await answering.take(frames.byteLength), new Uint8Array(frames));
    await assertPasses(answering, asking, responseFrame(1));
  });
});

Deno.test("spliceTtrpc() passes any frames, cut anywhere, in both directions", async () => {
  const frame = fc.record({
    payload: fc.uint8Array({ maxLength: 300 }),
    streamId: fc.nat({ max: 0xffff_ffff }),
    type: fc.constantFrom(1, 2, 3, 0x7f),
    flags: fc.nat({ max: 255 }),
  });
  await withSplicedPeers(REWRITERS, async ({ asking, answering, nearClient, nearServer }) => {
    const property = fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat({ max: 2000 }), { maxLength: 8 }),
      async (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(({ payload, ...header }) => encodeFrame(header, payload)));
        const ends = [...cuts.map((cut) => Math.min(cut, bytes.byteLength)), bytes.byteLength].sort((a, b) => a - b);
        for (const near of [nearClient, nearServer]) {
          let from = 0;
          for (const end of ends) {
            near.emit("data", Buffer.from(bytes.subarray(from, end)));
            from = end;
          }
        }
        const arrived = [await answering.take(bytes.byteLength), await asking.take(bytes.byteLength)];
        for (const copy of arrived) assert.ok(Buffer.compare(copy, bytes) === 0);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});

Deno.test("spliceTtrpc() passes a frame of exactly 4 MiB and the one after it", async () => {
  await withSplicedPeers(REWRITERS, async (peers) => {
    const largest = Buffer.concat([goldenFrame("F9-boundary-header"), Buffer.alloc(MAX_PAYLOAD_BYTES, 0x0a)]);
    await assertPasses(peers.answering, peers.asking, largest);
    await assertPasses(peers.answering, peers.asking, responseFrame(15));
    const request = requestFrame(15, { payload: new Uint8Array(MAX_PAYLOAD_BYTES - 17) });
    assert.equal(request.byteLength, MAX_PAYLOAD_BYTES + HEADER_BYTES);
    await assertPasses(peers.asking, peers.answering, request);
    await assertPasses(peers.asking, peers.answering, requestFrame(17));
  });
});

Deno.test("spliceTtrpc() answers an oversized request itself and goes on", async () => {
  await withSplicedPeers(REWRITERS, async ({ asking, answering }) => {
    asking.send(goldenFrame("F9-header"));
    for (let i = 0; i < 4; i++) asking.send(new Uint8Array(1 << 20).fill(1));
    asking.send(new Uint8Array(1), goldenFrame("F1"));
    assert.deepEqual(await asking.takeFrame(), goldenFrame("F9-reply"));
    assert.deepEqual(await answering.takeFrame(), goldenFrame("F1"), "none of the oversized frame came through");
  });
});

Deno.test("spliceTtrpc() answers oversized Data, and nothing for a type that nobody knows", async () => {
  await withSplicedPeers(REWRITERS, async ({ asking, answering }) => {
    const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
    asking.send(frameHeader(payload.byteLength, 1, 0x7f), payload);
    asking.send(frameHeader(payload.byteLength, 3, 3), payload, requestFrame(5));
    const message = `message length ${payload.byteLength} exceed maximum message size of 4194304`;
    assert.deepEqual(await asking.takeFrame(), responseFrame(3, { code: Code.resourceExhausted, message }));
    assert.deepEqual(await answering.takeFrame(), requestFrame(5));
  });
});

Deno.test("spliceTtrpc() turns an oversized reply into an error of that stream alone", async () => {
  await withSplicedPeers(REWRITERS, async ({ asking, answering }) => {
    const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
    answering.send(responseFrame(1), frameHeader(payload.byteLength, 11, 2), payload, responseFrame(3));
    assert.deepEqual(await asking.takeFrame(), responseFrame(1));
    assert.deepEqual(await asking.takeFrame(), goldenFrame("F9-reply"));
    assert.deepEqual(await asking.takeFrame(), responseFrame(3));
  });
});

Deno.test("spliceTtrpc() puts its own answer between two frames of the server, never inside one", async () => {
  await withSplicedPeers(REWRITERS, async ({ asking, answering }) => {
    const reply = responseFrame(1, Buffer.alloc(1000, 7));
    answering.send(reply.subarray(0, 500));
    const start = await asking.take(500);
    asking.send(frameHeader(MAX_PAYLOAD_BYTES + 1, 11, 1), new Uint8Array(MAX_PAYLOAD_BYTES + 1), requestFrame(13));
    // The splice has answered by the time the next request is through.
    assert.deepEqual(await answering.takeFrame(), requestFrame(13));
    answering.send(reply.subarray(500), responseFrame(13));
    assert.deepEqual(Buffer.concat([start, await asking.take(reply.byteLength - 500)]), Buffer.from(reply));
    assert.deepEqual(await asking.takeFrame(), goldenFrame("F9-reply"));
    assert.deepEqual(await asking.takeFrame(), responseFrame(13));
  });
});

Deno.test("spliceTtrpc() keeps nothing of a frame that claims 4 GiB", async () => {
  await withSplicedSockets(REWRITERS, async ({ client, nearServer, splice }) => {
    const piece = new Uint8Array(1 << 20);
    client.write(frameHeader(0xffff_ffff, 1, 1));
    for (let i = 0; i < 64; i++) await new Promise((resolve) => client.write(piece, resolve));
    assert.equal(nearServer.writableLength, 0);
    assert.equal(splice.stats.toServerBytes, 0);
  });
});

Deno.test("stats counts frames and bytes", async () => {
  await withSplicedPeers(REWRITERS, async ({ asking, answering, splice }) => {
    await assertPasses(asking, answering, Buffer.concat([requestFrame(1), requestFrame(3), dataFrame(1)]));
    await assertPasses(answering, asking, Buffer.concat([responseFrame(3), dataFrame(1)]));
    const { requests, responses, held, toServerBytes, toClientBytes } = splice.stats;
    assert.deepEqual([requests, responses, held], [2, 1, 0]);
    assert.equal(toServerBytes, 2 * requestFrame(1).byteLength + HEADER_BYTES);
    assert.equal(toClientBytes, 2 * HEADER_BYTES);
  });
});
