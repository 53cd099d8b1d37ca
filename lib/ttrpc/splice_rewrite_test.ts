// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import { once } from "node:events";
import assert from "node:assert/strict";
import { PeerctlError } from "../errors.ts";
import { dataFrame, readAnswer, requestFrame, responseFrame } from "../testing/frames.ts";
import { goldenFrame } from "../testing/golden_frames.ts";
import { withSplicedPeers } from "../testing/spliced.ts";
import { MAX_HELD_BYTES, MAX_HELD_REQUESTS } from "./held_requests.ts";
import { Flag, HEADER_BYTES, MAX_PAYLOAD_BYTES, readHeader } from "./frame.ts";
import { readRequestParts, replacePayload } from "./request_rewrite.ts";
import type { Rewriter, Rewriters } from "./splice.ts";
import { Code, RpcError } from "./status.ts";

const NOTHING = new Uint8Array(0);

function rewriters(rewriter: Rewriter): Rewriters {
  return new Map([["t.S/Held", rewriter]]);
}

function heldFrame(streamId: number, text = "", flags = 0): Uint8Array {
  return requestFrame(streamId, { method: "Held", payload: Buffer.from(text) }, flags);
}

/** A rewriter whose calls a test lets go one by one; the new payload is the old one in upper case. */
function gate() {
  const calls: { payload: string; signal: AbortSignal; open: () => void; fail: (error: unknown) => void }[] = [];
  let arrived = () => {};
  const rewriter: Rewriter = (payload, { signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const text = Buffer.from(payload).toString();
    calls.push({ payload: text, signal, open: () => resolve(Buffer.from(text.toUpperCase())), fail: reject });
    arrived();
    return promise;
  };
  async function untilHeld(count: number) {
    while (calls.length < count) await new Promise<void>((resolve) => arrived = resolve);
  }
  return { rewriters: rewriters(rewriter), calls, untilHeld };
}

Deno.test("spliceTtrpc() sends what the rewriter returns, and every other field as it was", async () => {
  const frame = requestFrame(1, {
    method: "Held",
    payload: Buffer.from("old"),
    timeoutNanos: 60_000_000_000n,
    metadata: [{ key: "k", value: "v" }],
  });
  const expected = replacePayload(
    frame,
    readHeader(frame, 0),
    readRequestParts(frame)!,
    Buffer.from("longer than old"),
  );
  const seen: unknown[] = [];
  const rewriter: Rewriter = (payload, { timeoutNanos }) => {
    seen.push(Buffer.from(payload).toString(), timeoutNanos);
    return Buffer.from("longer than old");
  };
  await withSplicedPeers(rewriters(rewriter), async ({ asking, answering }) => {
    asking.send(frame);
    assert.deepEqual(await answering.takeFrame(), expected);
    assert.deepEqual(seen, ["old", 60_000_000_000n]);
  });
});

Deno.test("spliceTtrpc() makes the golden rewrites out of the golden requests", async () => {
  for (const [name, method] of [["F16", "CreateContainer"], ["F17", "CreateSandbox"]]) {
    const payload = readRequestParts(goldenFrame(`${name}-out`))!.payload;
    await withSplicedPeers(new Map([[`grpc.AgentService/${method}`, () => payload]]), async ({ asking, answering }) => {
      asking.send(goldenFrame(`${name}-in`));
      assert.deepEqual(await answering.takeFrame(), goldenFrame(`${name}-out`));
    });
  }
});

Deno.test("spliceTtrpc() keeps a frame as it is when the payload comes back unchanged", async () => {
  // The service stands last and the payload is written twice: any new encoding would differ.
  const envelope = Buffer.from("1a0161" + "1a0162" + "120448656c64" + "0a03742e53" + "a20601ff", "hex");
  const frame = Buffer.concat([Buffer.from("00000000000000010100", "hex"), envelope]);
  frame.writeUInt32BE(envelope.byteLength, 0);
  const seen: string[] = [];
  const rewriter: Rewriter = (payload) => {
    seen.push(Buffer.from(payload).toString());
    return payload.slice();
  };
  await withSplicedPeers(rewriters(rewriter), async ({ asking, answering }) => {
    asking.send(frame);
    assert.deepEqual(await answering.takeFrame(), new Uint8Array(frame));
    assert.deepEqual(seen, ["b"]);
  });
});

Deno.test("spliceTtrpc() rewrites a request that arrives byte by byte", async () => {
  await withSplicedPeers(rewriters(() => Buffer.from("new")), async ({ answering, nearClient }) => {
    const requests = Buffer.concat([requestFrame(1), heldFrame(3, "old"), requestFrame(5)]);
    for (const byte of requests) nearClient.emit("data", Buffer.of(byte));
    const expected = [requestFrame(1), heldFrame(3, "new"), requestFrame(5)];
    for (const frame of expected) assert.deepEqual(await answering.takeFrame(), frame);
  });
});

Deno.test("spliceTtrpc() keeps the order when the rewriter returns at once", async () => {
  await withSplicedPeers(rewriters((payload) => Buffer.from([...payload, 33])), async ({ asking, answering }) => {
    asking.send(Buffer.concat([1, 3, 5, 7].map((id) => id === 3 ? heldFrame(id, "a") : requestFrame(id))));
    const frames = [requestFrame(1), heldFrame(3, "a!"), requestFrame(5), requestFrame(7)];
    for (const frame of frames) assert.deepEqual(await answering.takeFrame(), frame);
  });
});

Deno.test("spliceTtrpc() answers with what the rewriter throws and forwards nothing", async () => {
  const errors: readonly [unknown, number, string][] = [
    [new RpcError(Code.notFound, "no such thing"), Code.notFound, "no such thing"],
    [
      new PeerctlError("state", "Cannot do it: too early", { hint: "wait" }),
      Code.failedPrecondition,
      "Cannot do it: too early; wait",
    ],
    [new TypeError("broken"), Code.unknown, "broken"],
  ];
  for (const [error, code, message] of errors) {
    for (
      const rewriter of [() => Promise.reject(error), (): never => {
        throw error;
      }]
    ) {
      await withSplicedPeers(rewriters(rewriter), async ({ asking, answering }) => {
        asking.send(heldFrame(1, "a"));
        assert.deepEqual(await asking.takeFrame(), responseFrame(1, { code, message }));
        asking.send(requestFrame(3));
        assert.deepEqual(await answering.takeFrame(), requestFrame(3));
      });
    }
  }
});

Deno.test("spliceTtrpc() answers RESOURCE_EXHAUSTED when the rewrite is over 4 MiB", async () => {
  const almost = requestFrame(1, { method: "Held", payload: new Uint8Array(MAX_PAYLOAD_BYTES - 26) });
  const grow: Rewriter = (payload) => Buffer.concat([payload, new Uint8Array(20)]);
  for (const rewriter of [grow, (p: Uint8Array, c: Parameters<Rewriter>[1]) => Promise.resolve(grow(p, c))]) {
    await withSplicedPeers(rewriters(rewriter), async ({ asking, answering }) => {
      asking.send(almost);
      const { streamId, code, message } = readAnswer(await asking.takeFrame());
      assert.deepEqual([streamId, code], [1, Code.resourceExhausted]);
      assert.match(message, /^message length \d+ exceed maximum message size of 4194304$/);
      asking.send(requestFrame(3));
      assert.deepEqual(await answering.takeFrame(), requestFrame(3));
    });
  }
});

Deno.test("spliceTtrpc() forwards an envelope that does not decode, and other methods, without asking", async () => {
  await withSplicedPeers(rewriters(() => assert.fail("asked")), async ({ asking, answering }) => {
    // The names are there, and then a field that is cut short.
    const broken = Buffer.concat([heldFrame(1, "a"), Buffer.from("2a05", "hex")]);
    broken.writeUInt32BE(broken.byteLength - HEADER_BYTES, 0);
    for (const frame of [broken, goldenFrame("F13"), requestFrame(3, { method: "Held2" })]) {
      asking.send(frame);
      assert.deepEqual(await answering.takeFrame(), new Uint8Array(frame));
    }
  });
});

Deno.test("spliceTtrpc() lets later requests pass one whose rewriter waits", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, answering, splice }) => {
    asking.send(heldFrame(1, "a"), requestFrame(3));
    assert.deepEqual(await answering.takeFrame(), requestFrame(3));
    await untilHeld(1);
    assert.equal(splice.stats.held, 1);
    calls[0]?.open();
    assert.deepEqual(await answering.takeFrame(), heldFrame(5, "A"));
    assert.equal(splice.stats.held, 0);
    assert.equal(calls[0]?.signal.aborted, false);
  });
});

Deno.test("spliceTtrpc() sends a held request between two frames, never inside one", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, answering }) => {
    const large = requestFrame(3, { payload: new Uint8Array(1000) });
    asking.send(heldFrame(1, "a"), large.subarray(0, 500));
    await untilHeld(1);
    const start = await answering.take(500);
    calls[0]?.open();
    asking.send(large.subarray(500), requestFrame(5));
    assert.deepEqual(Buffer.concat([start, await answering.take(large.byteLength - 500)]), Buffer.from(large));
    const next = [await answering.takeFrame(), await answering.takeFrame()];
    assert.deepEqual(next, [heldFrame(5, "A"), requestFrame(7)]);
  });
});

Deno.test("spliceTtrpc() answers DEADLINE_EXCEEDED when the request's own time is over, and aborts the rewriter", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, answering }) => {
    asking.send(requestFrame(1, { method: "Held", timeoutNanos: 1_000_000n }));
    await untilHeld(1);
    const answer = readAnswer(await asking.takeFrame());
    assert.deepEqual([answer.streamId, answer.code], [1, Code.deadlineExceeded]);
    assert.equal(calls[0]?.signal.aborted, true);
    // Too late: it must not be sent now.
    calls[0]?.open();
    asking.send(requestFrame(3));
    assert.deepEqual(await answering.takeFrame(), requestFrame(3));
  });
});

Deno.test("spliceTtrpc() does not start a rewriter for a request whose time was over before it came", async () => {
  await withSplicedPeers(rewriters(() => assert.fail("asked")), async ({ asking }) => {
    asking.send(requestFrame(1, { method: "Held", timeoutNanos: -1n }));
    assert.equal(readAnswer(await asking.takeFrame()).code, Code.deadlineExceeded);
  });
});

Deno.test("spliceTtrpc() takes a timeout longer than a timer as none", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, answering }) => {
    const frame = requestFrame(1, { method: "Held", timeoutNanos: 2n ** 62n });
    asking.send(frame);
    await untilHeld(1);
    // A timer that overflows fires in the next turn.
    await new Promise((resolve) => setTimeout(resolve, 2));
    calls[0]?.open();
    assert.deepEqual(await answering.takeFrame(), frame);
  });
});

Deno.test("destroy() aborts the rewriters that wait", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, splice }) => {
    asking.send(heldFrame(1));
    await untilHeld(1);
    splice.destroy();
    await splice.closed;
    assert.equal(calls[0]?.signal.aborted, true);
    assert.equal(calls[0]?.signal.reason.kind, "closed");
    calls[0]?.fail(new Error("nobody is interested"));
  });
});

Deno.test("spliceTtrpc() carries a held stream's Data frames behind its request", async () => {
  const { rewriters, calls, untilHeld } = gate();
  const middle = dataFrame(1, new Uint8Array(100_000));
  for (const open of [Flag.remoteOpen, Flag.remoteOpen | Flag.noData]) {
    await withSplicedPeers(rewriters, async ({ asking, answering, splice }) => {
      const before = calls.length;
      asking.send(heldFrame(1, "a", open), dataFrame(1, Buffer.from("d")), middle.subarray(0, 50_000));
      await untilHeld(before + 1);
      calls[before]?.open();
      assert.deepEqual(await answering.takeFrame(), heldFrame(1, "A", open));
      assert.deepEqual(await answering.takeFrame(), dataFrame(1, Buffer.from("d")));
      asking.send(middle.subarray(50_000), dataFrame(1, NOTHING, Flag.remoteClosed | Flag.noData));
      assert.deepEqual(await answering.takeFrame(), middle);
      assert.deepEqual(await answering.takeFrame(), dataFrame(1, NOTHING, Flag.remoteClosed | Flag.noData));
      assert.equal(splice.stats.held, 0);
    });
  }
});

Deno.test("spliceTtrpc() keeps the Data frames of a refused stream from the server", async () => {
  const refuse: Rewriter = () => Promise.reject(new RpcError(Code.aborted, "no"));
  await withSplicedPeers(rewriters(refuse), async ({ asking, answering }) => {
    asking.send(heldFrame(1, "a", Flag.remoteOpen), dataFrame(1, Buffer.from("early")));
    assert.equal(readAnswer(await asking.takeFrame()).code, Code.aborted);
    asking.send(dataFrame(1, Buffer.from("late")), dataFrame(1, NOTHING, Flag.remoteClosed), requestFrame(3));
    assert.deepEqual(await answering.takeFrame(), requestFrame(3));
  });
});

Deno.test("spliceTtrpc() stops reading the client at so many held requests and goes on when one is gone", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, answering, nearClient, splice }) => {
    const ids = Array.from({ length: MAX_HELD_REQUESTS + 2 }, (_, i) => 2 * i + 1);
    // One chunk: the limit counts within it, too.
    asking.send(Buffer.concat(ids.map((id) => heldFrame(id, "a"))));
    await untilHeld(MAX_HELD_REQUESTS);
    assert.deepEqual([nearClient.isPaused(), splice.stats.held], [true, MAX_HELD_REQUESTS]);
    for (let opened = 0; opened < ids.length; opened++) {
      await untilHeld(opened + 1);
      calls[opened]?.open();
      assert.deepEqual(await answering.takeFrame(), heldFrame(ids[opened]!, "A"));
    }
    assert.deepEqual([nearClient.isPaused(), splice.stats.held], [false, 0]);
  });
});

Deno.test("spliceTtrpc() stops reading the client at so many held bytes", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ client, answering, nearClient, splice }) => {
    const large = "a".repeat(4 << 20).slice(0, MAX_PAYLOAD_BYTES - 100);
    const enough = Math.ceil(MAX_HELD_BYTES / large.length);
    for (let i = 0; i < enough + 2; i++) client.write(heldFrame(2 * i + 1, large));
    await untilHeld(enough);
    assert.deepEqual([nearClient.isPaused(), splice.stats.held], [true, enough]);
    for (let i = 0; i < enough + 2; i++) {
      await untilHeld(i + 1);
      calls[i]?.open();
      assert.equal(readHeader(await answering.takeFrame(), 0).streamId, 2 * i + 1);
    }
    assert.equal(nearClient.isPaused(), false);
  });
});

Deno.test("spliceTtrpc() ends the rewriter's wait when the client goes", async () => {
  const { rewriters, calls, untilHeld } = gate();
  await withSplicedPeers(rewriters, async ({ asking, client, splice }) => {
    asking.send(heldFrame(1));
    await untilHeld(1);
    const aborted = once(calls[0]!.signal, "abort");
    client.end();
    await aborted;
    await splice.closed;
    assert.equal(splice.stats.held, 0);
  });
});
