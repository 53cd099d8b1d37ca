// SPDX-License-Identifier: Apache-2.0

import { getLogger, type Logger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import { setImmediate } from "node:timers";
import { PeerctlError } from "../errors.ts";
import { createFramePeer, type FramePeer } from "../testing/frame_peer.ts";
import { goldenFrame } from "../testing/golden_frames.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { createTtrpcClient } from "./client.ts";
import { decodeResponse, encodeRequest, type RequestEnvelope } from "./envelope.ts";
import { encodeFrame, Flag, HEADER_BYTES, MAX_PAYLOAD_BYTES, MessageType, oversizeText, readHeader } from "./frame.ts";
import { type CallContext, createTtrpcServer, type TtrpcServer, type UnaryHandler } from "./server.ts";
import { Code, RpcError } from "./status.ts";

const NOTHING = new Uint8Array(0);
const SERVING = Uint8Array.fromHex("0801");
const MIB = 1 << 20;

interface Bench {
  readonly server: TtrpcServer;
  /** Bytes in, bytes out, at the client's end. */
  readonly peer: FramePeer;
  readonly socket: net.Socket;
  /** The server's end. */
  readonly accepted: net.Socket;
}

interface BenchOptions {
  readonly methods?: Record<string, UnaryHandler>;
  readonly maxConcurrentCalls?: number;
  readonly log?: Logger;
}

/** Serves grpc.Health/Check, and `methods` as service "t.S", on one connection. */
function withServer(options: BenchOptions, body: (bench: Bench) => Promise<void>): Promise<void> {
  return withSocketPair(async (dialled, accepted) => {
    const { methods = {}, log = getLogger("test"), ...rest } = options;
    const services = new Map([
      ["grpc.Health", new Map([["Check", () => Promise.resolve(SERVING)]])],
      ["t.S", new Map(Object.entries(methods))],
    ]);
    const server = createTtrpcServer({ services, log, ...rest });
    server.serve(accepted);
    await body({ server, peer: createFramePeer(dialled), socket: dialled, accepted });
    server.close();
    await server.shutdown();
  });
}

function request(streamId: number, envelope: Partial<RequestEnvelope> = {}, flags = 0): Uint8Array {
  const payload = encodeRequest({
    service: "t.S",
    method: "Work",
    payload: NOTHING,
    timeoutNanos: 0n,
    metadata: [],
    ...envelope,
  });
  return encodeFrame({ streamId, type: MessageType.request, flags }, payload);
}

function check(streamId: number, flags = 0): Uint8Array {
  return request(streamId, { service: "grpc.Health", method: "Check" }, flags);
}

interface Answer {
  readonly streamId: number;
  readonly code: number;
  readonly message: string;
  readonly payload: Uint8Array;
}

async function takeAnswer(peer: FramePeer): Promise<Answer> {
  const frame = await peer.takeFrame();
  const { streamId, type, flags } = readHeader(frame, 0);
  assert.deepEqual({ type, flags }, { type: MessageType.response, flags: 0 });
  const { status = { code: Code.ok, message: "" }, payload } = decodeResponse(frame.subarray(HEADER_BYTES));
  return { streamId, code: status.code, message: status.message, payload: new Uint8Array(payload) };
}

async function assertRefused(peer: FramePeer, streamId: number, code: number, message: RegExp): Promise<void> {
  const answer = await takeAnswer(peer);
  assert.deepEqual([answer.streamId, answer.code], [streamId, code]);
  assert.match(answer.message, message);
}

/** Makes sure that the connection still works: the next answer is that of a Check. */
async function assertServing(peer: FramePeer, streamId: number): Promise<void> {
  peer.send(check(streamId));
  assert.deepEqual(await takeAnswer(peer), { streamId, code: Code.ok, message: "", payload: SERVING });
}

/** A handler that stops until the test lets it go on, and tells what it was called with. */
function gate() {
  const calls: Array<{ context: CallContext; payload: Uint8Array; reply: (payload: Uint8Array) => void }> = [];
  let wake = () => {};
  const handler: UnaryHandler = (payload, context) =>
    new Promise((reply) => {
      calls.push({ context, payload, reply });
      wake();
    });
  async function called(count: number): Promise<void> {
    while (calls.length < count) await new Promise<void>((resolve) => wake = resolve);
  }
  return { handler, calls, called };
}

function aborted(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
}

/** A logger that keeps its records, instead of logtape's, whose sinks are set for a whole process. */
function recordingLog(): { log: Logger; records: string[] } {
  const records: string[] = [];
  const keep = (level: string) => (message: string) => void records.push(`${level} ${message}`);
  const log = { debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
  return { log: log as unknown as Logger, records };
}

Deno.test("serve() answers the golden requests with the golden replies", () =>
  withServer({}, async ({ peer }) => {
    const unknownMethod = request(5, { service: "grpc.Health", method: "Nope" });
    peer.send(goldenFrame("F1"), unknownMethod, goldenFrame("F10"), goldenFrame("F11"), goldenFrame("F12"));
    // What needs no handler is answered first.
    for (const name of ["F6", "F10-reply", "F12-reply-go", "F4-go"]) {
      assert.deepEqual(await peer.takeFrame(), goldenFrame(name), name);
    }
  }));

Deno.test("serve() answers CreateVM as the golden frame says, and an empty message with nothing", () =>
  withSocketPair(async (dialled, accepted) => {
    const path = goldenFrame("F15-reply").subarray(HEADER_BYTES + 2);
    const asked: Uint8Array[] = [];
    const createVm: UnaryHandler = (payload) => {
      asked.push(payload);
      return Promise.resolve(path);
    };
    const startContainer: UnaryHandler = () => Promise.resolve(NOTHING);
    const server = createTtrpcServer({
      services: new Map([
        ["hypervisor.Hypervisor", new Map([["CreateVM", createVm]])],
        ["grpc.AgentService", new Map([["StartContainer", startContainer]])],
      ]),
      log: getLogger("test"),
    });
    server.serve(accepted);
    const peer = createFramePeer(dialled);
    peer.send(goldenFrame("F15"), goldenFrame("F2"));
    assert.deepEqual(await peer.takeFrame(), goldenFrame("F15-reply"));
    assert.deepEqual(await peer.takeFrame(), goldenFrame("F5-go"));
    assert.deepEqual(new Uint8Array(asked[0]!), Uint8Array.fromHex("0a0373623112060a01611201621a022f6e"));
    await server.shutdown();
  }));

Deno.test("serve() answers frames that arrive byte by byte, and many that arrive at once", () =>
  withServer({}, async ({ peer, socket }) => {
    for (const byte of goldenFrame("F1")) {
      await new Promise<void>((resolve) => socket.write(Uint8Array.of(byte), () => resolve()));
    }
    assert.deepEqual(await peer.takeFrame(), goldenFrame("F4-go"));
    const ids = Array.from({ length: 500 }, (_, i) => 2 * i + 3);
    peer.send(new Uint8Array(ids.flatMap((id) => [...check(id)])));
    for (const id of ids) assert.equal((await takeAnswer(peer)).streamId, id);
  }));

Deno.test("serve() throws an oversized request away, answers it, and goes on", () =>
  withServer({}, async ({ peer }) => {
    peer.send(goldenFrame("F9-header"), new Uint8Array(MAX_PAYLOAD_BYTES + 1));
    assert.deepEqual(await peer.takeFrame(), goldenFrame("F9-reply"));
    // Its id was never used: a smaller one is still higher than all before.
    await assertServing(peer, 9);
  }));

Deno.test("serve() takes a request of exactly 4 MiB", () =>
  withServer({ methods: { Work: (payload) => Promise.resolve(payload.subarray(0, 3)) } }, async ({ peer }) => {
    // Service, method, and the payload's own tag and length are the other 16 bytes.
    const frame = request(13, { payload: new Uint8Array(MAX_PAYLOAD_BYTES - 16).fill(5) });
    assert.deepEqual(frame.subarray(0, HEADER_BYTES), goldenFrame("F9-boundary-header"));
    peer.send(frame);
    assert.deepEqual((await takeAnswer(peer)).payload, Uint8Array.of(5, 5, 5));
  }));

Deno.test("serve() refuses stream ids that do not grow, and keeps the connection", () =>
  withServer({}, async ({ peer }) => {
    await assertServing(peer, 5);
    for (const streamId of [5, 3]) {
      peer.send(check(streamId));
      await assertRefused(peer, streamId, Code.invalidArgument, /^stream id must be higher than 5/);
    }
    peer.send(check(0));
    await assertRefused(peer, 0, Code.invalidArgument, /^stream id must be odd$/);
    await assertServing(peer, 0xffffffff);
  }));

Deno.test("serve() refuses a request that does not decode, and its id is used by it", () =>
  withServer({}, async ({ peer }) => {
    peer.send(goldenFrame("F13"));
    await assertRefused(peer, 19, Code.invalidArgument, /^Cannot decode TTRPC request/);
    peer.send(check(19));
    await assertRefused(peer, 19, Code.invalidArgument, /must be higher than 19/);
    await assertServing(peer, 21);
  }));

Deno.test("serve() calls an unknown service unimplemented", () =>
  withServer({}, async ({ peer }) => {
    peer.send(request(1, { service: "no.Such", method: "Check" }), request(3, { service: "", method: "" }));
    await assertRefused(peer, 1, Code.unimplemented, /^service no\.Such$/);
    await assertRefused(peer, 3, Code.unimplemented, /^service $/);
  }));

Deno.test("serve() takes flags it does not know, and a client that promises to send nothing more", () =>
  withServer({}, async ({ peer }) => {
    for (const [streamId, flags] of [[1, 0x80], [3, Flag.remoteClosed], [5, Flag.noData]] as const) {
      peer.send(check(streamId, flags));
      assert.deepEqual(await takeAnswer(peer), { streamId, code: Code.ok, message: "", payload: SERVING });
    }
  }));

for (const golden of ["F8-go", "F8-rust"]) {
  Deno.test(`serve() refuses to open a stream to a unary method (${golden})`, () =>
    withServer({ methods: { Chat: () => Promise.resolve(NOTHING) } }, async ({ peer }) => {
      peer.send(goldenFrame(golden), goldenFrame("F8-half-close"));
      await assertRefused(peer, 9, Code.unimplemented, /^method Chat is unary$/);
      await assertRefused(peer, 9, Code.invalidArgument, /^StreamID is no longer active$/);
      await assertServing(peer, 11);
    }));
}

Deno.test("serve() ends a unary call whose client sends stream data, and answers it once", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer }) => {
    peer.send(request(7));
    await work.called(1);
    peer.send(goldenFrame("F7-data"));
    await assertRefused(peer, 7, Code.invalidArgument, /unary/);
    assert.equal((await aborted(work.calls[0]!.context.signal) as PeerctlError).kind, "closed");
    work.calls[0]!.reply(SERVING);
    await assertServing(peer, 9);
  });
});

Deno.test("serve() replaces a reply over the limit by an error on that stream only", () =>
  withServer({ methods: { Work: () => Promise.resolve(new Uint8Array(MAX_PAYLOAD_BYTES)) } }, async ({ peer }) => {
    peer.send(request(1));
    const length = MAX_PAYLOAD_BYTES + 5;
    assert.deepEqual(await takeAnswer(peer), {
      streamId: 1,
      code: Code.resourceExhausted,
      message: oversizeText(length),
      payload: NOTHING,
    });
    await assertServing(peer, 3);
  }));

Deno.test("serve() passes a reply of 4 MiB less its own tag and length", () =>
  withServer({ methods: { Work: () => Promise.resolve(new Uint8Array(MAX_PAYLOAD_BYTES - 5)) } }, async ({ peer }) => {
    peer.send(request(1));
    assert.equal((await takeAnswer(peer)).payload.byteLength, MAX_PAYLOAD_BYTES - 5);
  }));

Deno.test("serve() answers with the status of what the handler throws", async () => {
  const { log, records } = recordingLog();
  const errors: unknown[] = [
    new RpcError(Code.dataLoss, "lost"),
    new PeerctlError("state", "Cannot start VM: no VM", { hint: "create it" }),
    new TypeError("bug"),
  ];
  const methods = {
    Work: (payload: Uint8Array) => Promise.reject(errors[payload[0]!]),
    Sync: () => {
      throw new RpcError(Code.aborted, "at once");
    },
  };
  await withServer({ methods, log }, async ({ peer }) => {
    const expected = [
      [Code.dataLoss, /^lost$/],
      [Code.failedPrecondition, /^Cannot start VM: no VM; create it$/],
      [Code.unknown, /^bug$/],
    ] as const;
    for (const [i, [code, message]] of expected.entries()) {
      peer.send(request(2 * i + 1, { payload: Uint8Array.of(i) }));
      await assertRefused(peer, 2 * i + 1, code, message);
    }
    peer.send(request(7, { method: "Sync" }));
    await assertRefused(peer, 7, Code.aborted, /^at once$/);
  });
  assert.deepEqual(records.filter((record) => record.startsWith("error")), [
    "error Handler failed in an unforeseen way",
  ]);
});

Deno.test("serve() runs calls side by side and answers in the order they finish", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer }) => {
    const ids = Array.from({ length: 200 }, (_, i) => 2 * i + 1);
    for (const id of ids) peer.send(request(id, { payload: Uint8Array.of(id & 0xff, id >> 8) }));
    await work.called(200);
    await assertServing(peer, 1001);
    for (const call of work.calls.toReversed()) call.reply(call.payload);
    for (const id of ids.toReversed()) {
      const { streamId, payload } = await takeAnswer(peer);
      assert.deepEqual([streamId, payload], [id, Uint8Array.of(id & 0xff, id >> 8)]);
    }
  });
});

Deno.test("serve() tells a handler what the request carried", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer }) => {
    const metadata = [{ key: "traceparent", value: "00-1" }, { key: "k", value: "v" }];
    peer.send(request(1, { metadata, timeoutNanos: 60_000_000_000n }));
    await work.called(1);
    const { service, method, timeoutNanos, connectionId, signal, ...context } = work.calls[0]!.context;
    assert.deepEqual({ service, method, timeoutNanos, connectionId, metadata: context.metadata }, {
      service: "t.S",
      method: "Work",
      timeoutNanos: 60_000_000_000n,
      connectionId: 1,
      metadata,
    });
    assert.equal(signal.aborted, false);
    work.calls[0]!.reply(NOTHING);
    await takeAnswer(peer);
  });
});

Deno.test("serve() aborts the signal at the deadline and leaves the answer to the handler", async () => {
  const work: UnaryHandler = async (_payload, { signal }) => {
    await aborted(signal);
    signal.throwIfAborted();
    return NOTHING;
  };
  await withServer({ methods: { Work: work } }, async ({ peer }) => {
    peer.send(request(1, { timeoutNanos: 5_000_000n }), request(3, { timeoutNanos: -1n }));
    const answers = [await takeAnswer(peer), await takeAnswer(peer)];
    assert.deepEqual(answers.map(({ streamId, code }) => [streamId, code]), [
      [3, Code.deadlineExceeded],
      [1, Code.deadlineExceeded],
    ]);
    assert.equal(answers[0]!.message, "Cannot finish t.S/Work: the caller's deadline passed");
  });
});

Deno.test("serve() runs a call whose time is over, since only its handler knows whether that matters", () =>
  withServer({}, async ({ peer }) => {
    peer.send(goldenFrame("F14"));
    assert.deepEqual(await takeAnswer(peer), { streamId: 21, code: Code.ok, message: "", payload: SERVING });
  }));

Deno.test("serve() aborts every call when the client ends its side, and counts the connection out", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer, server, socket }) => {
    peer.send(request(1), request(3));
    await work.called(2);
    const reasons = work.calls.map(({ context }) => aborted(context.signal));
    assert.equal(server.connections, 1);
    socket.end();
    for (const reason of await Promise.all(reasons)) {
      assert.equal((reason as PeerctlError).kind, "closed");
    }
    await peer.ended;
    await server.shutdown();
    assert.equal(server.connections, 0);
    for (const { reply } of work.calls) reply(SERVING);
  });
});

Deno.test("serve() shows an aborted signal to a handler that looks late", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer, socket }) => {
    peer.send(request(1));
    await work.called(1);
    socket.end();
    await peer.ended;
    assert.ok(work.calls[0]!.context.signal.aborted);
    work.calls[0]!.reply(SERVING);
  });
});

Deno.test("serve() is silent about a client that connects and leaves", async () => {
  const { log, records } = recordingLog();
  await withServer({ log }, async ({ socket, server, peer }) => {
    socket.end();
    await peer.ended;
    await server.shutdown();
    assert.equal(server.connections, 0);
  });
  assert.deepEqual(records, []);
});

for (const cut of [4, 15]) {
  Deno.test(`serve() ends quietly when the client leaves after ${cut} bytes of a frame`, async () => {
    const { log, records } = recordingLog();
    await withServer({ log }, async ({ socket, server, peer }) => {
      socket.end(goldenFrame("F1").subarray(0, cut));
      assert.equal((await peer.ended).byteLength, 0);
      await server.shutdown();
    });
    assert.deepEqual(records, ["debug Connection ended inside a frame"]);
  });
}

Deno.test("serve() starts no more than maxConcurrentCalls and stops reading", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler }, maxConcurrentCalls: 2 }, async ({ peer, socket, accepted }) => {
    const payload = new Uint8Array(MIB);
    const ids = Array.from({ length: 16 }, (_, i) => 2 * i + 1);
    for (const id of ids) peer.send(request(id, { payload }));
    await stopped(accepted);
    assert.equal(work.calls.length, 2);
    assert.ok(socket.writableLength > MIB, "the client keeps what nobody takes");
    for (const [i, id] of ids.entries()) {
      await work.called(i + 1);
      assert.ok(work.calls.length <= i + 2);
      work.calls[i]!.reply(NOTHING);
      assert.equal((await takeAnswer(peer)).streamId, id);
    }
  });
});

Deno.test("serve() starts no call for a client that does not read its replies", async () => {
  let started = 0;
  const methods = {
    Work: () => {
      started++;
      return Promise.resolve(new Uint8Array(MIB));
    },
  };
  await withServer({ methods, maxConcurrentCalls: 4 }, async ({ peer, socket, accepted }) => {
    socket.pause();
    const ids = Array.from({ length: 4000 }, (_, i) => 2 * i + 1);
    for (const id of ids) peer.send(request(id, { payload: new Uint8Array(2000) }));
    await stopped(accepted);
    assert.ok(started < 20, `${started} calls were started`);
    socket.resume();
    for (const id of ids.slice(0, 100)) assert.equal((await takeAnswer(peer)).streamId, id);
  });
});

/** Resolves once the server has stopped reading, and has had turns of the event loop enough to go on if it would. */
async function stopped(accepted: net.Socket): Promise<void> {
  while (!accepted.isPaused()) await once(accepted, "pause");
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(accepted.isPaused());
}

Deno.test("shutdown() ends an idle connection at once and a busy one after its reply", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer, server }) => {
    await withSocketPair(async (idle, accepted) => {
      server.serve(accepted);
      const idlePeer = createFramePeer(idle);
      await assertServing(idlePeer, 1);
      peer.send(request(1));
      await work.called(1);
      assert.equal(server.connections, 2);
      const shutdown = server.shutdown();
      await idlePeer.ended;
      peer.send(check(3));
      await assertRefused(peer, 3, Code.unavailable, /shutting down/);
      assert.equal(work.calls[0]!.context.signal.aborted, false);
      work.calls[0]!.reply(new Uint8Array(MIB));
      assert.equal((await takeAnswer(peer)).payload.byteLength, MIB);
      await peer.ended;
      await shutdown;
      assert.equal(server.connections, 0);
    });
  });
});

Deno.test("shutdown() closes what is left when its signal aborts", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer, server }) => {
    peer.send(request(1));
    await work.called(1);
    const controller = new AbortController();
    const shutdown = server.shutdown(controller.signal);
    controller.abort();
    await shutdown;
    assert.equal((work.calls[0]!.context.signal.reason as PeerctlError).kind, "closed");
    await peer.ended;
    work.calls[0]!.reply(NOTHING);
  });
});

Deno.test("close() ends every connection and aborts its calls", async () => {
  const work = gate();
  await withServer({ methods: { Work: work.handler } }, async ({ peer, server }) => {
    peer.send(request(1));
    await work.called(1);
    server.close();
    assert.match(String(await aborted(work.calls[0]!.context.signal)), /the server is closed/);
    await peer.ended;
    await withSocketPair(async (late, accepted) => {
      server.serve(accepted);
      await createFramePeer(late).ended;
    });
    work.calls[0]!.reply(NOTHING);
  });
});

Deno.test("createTtrpcServer() reports how many connections are open", async () => {
  const counts: number[] = [];
  const server = createTtrpcServer({
    services: new Map(),
    log: getLogger("test"),
    onConnections: (count) => counts.push(count),
  });
  await withSocketPair(async (one, first) => {
    await withSocketPair((_two, second) => {
      server.serve(first);
      server.serve(second);
      assert.deepEqual(counts, [1, 2]);
    });
    one.destroy();
    await server.shutdown();
    assert.deepEqual(counts, [1, 2, 1, 0]);
  });
});

Deno.test("serve() and createTtrpcClient() carry 5000 calls and 4 MiB both ways over one connection", async () => {
  const methods = { Work: (payload: Uint8Array) => Promise.resolve(payload) };
  await withSocketPair(async (dialled, accepted) => {
    const server = createTtrpcServer({
      services: new Map([["t.S", new Map(Object.entries(methods))]]),
      log: getLogger("test"),
      maxConcurrentCalls: 8,
    });
    server.serve(accepted);
    const client = createTtrpcClient(dialled);
    const large = new Uint8Array(MAX_PAYLOAD_BYTES - 100).fill(3);
    const small = Array.from({ length: 5000 }, (_, i) => Uint8Array.of(i & 0xff, i >> 8));
    const replies = await Promise.all([large, ...small].map((payload) => client.call("t.S", "Work", payload)));
    assert.deepEqual(new Uint8Array(replies[0]!), large);
    assert.deepEqual(replies.slice(1).map((reply) => new Uint8Array(reply)), small);
    client.close();
    await server.shutdown();
  });
});
