// SPDX-License-Identifier: Apache-2.0
/** Feeds random and mutated frames to the TTRPC parser, splice and server, and stops at the first thing that is wrong. */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import assert from "node:assert/strict";
import net from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { getLogger } from "@logtape/logtape";
import { decodeResponse } from "../ttrpc/envelope.ts";
import {
  createFrameParser,
  encodeFrame,
  type FrameHeader,
  type FrameParser,
  MAX_PAYLOAD_BYTES,
  MessageType,
} from "../ttrpc/frame.ts";
import { createTtrpcServer } from "../ttrpc/server.ts";
import { type Rewriter, type Rewriters, spliceTtrpc } from "../ttrpc/splice.ts";
import { createFrameSource, createRandom, cutAnywhere, type Random } from "./fuzz_frames.ts";
import { untilClosed } from "./spliced.ts";
import { withTempDir } from "./temp_dir.ts";

/** Frames of one connection, at most; after that a new one starts, so that a swallowed stream is not the end. */
const FRAMES_PER_CONNECTION = 3000;

/** How long one connection may take, in ms, before it counts as hung. */
const HANG_MS = 60_000;

/** How long both ends may go on writing, in ms, before one of them leaves. */
const PATIENCE_MS = 50;

/** Live heap, in MiB, that a run may add after its first quarter: less than one object for each frame would take. */
const HEAP_MIB = 5;

/** Resident memory, in MiB, that no run may need: the allocator keeps what the largest frames took. */
const RESIDENT_MIB = 1024;

const log = getLogger("fuzz");

/** Parts of `lib/ttrpc` that are fuzzed. */
export type FuzzTarget = "parser" | "splice" | "server";
export const FUZZ_TARGETS: readonly FuzzTarget[] = ["parser", "splice", "server"];

export interface FuzzReport {
  readonly target: FuzzTarget;
  /** Frames fed in, at least as many as asked for. */
  readonly frames: number;
  /** Frames that came out whole. */
  readonly seen: number;
  readonly seconds: number;
  /** Live heap in MiB after the first quarter and at the end; 0 unless run with --v8-flags=--expose-gc. */
  readonly quarterHeapMiB: number;
  readonly heapMiB: number;
  /** Resident memory in MiB at its highest. */
  readonly residentMiB: number;
}

/**
 * Feeds `count` frames made from `seed` to one target.
 *
 * @throws when a connection hangs, bytes come out wrong, or memory grows.
 */
export async function fuzzTtrpc(target: FuzzTarget, o: { seed: number; count: number }): Promise<FuzzReport> {
  const random = createRandom(o.seed);
  const started = performance.now();
  let frames = 0;
  let seen = 0;
  let quarterHeapMiB = 0;
  let residentMiB = 0;
  await withSocketSource(async (connect) => {
    while (frames < o.count) {
      const count = 1 + random(FRAMES_PER_CONNECTION);
      const fuzz = { parser: fuzzParser, splice: fuzzSplice, server: fuzzServer }[target];
      seen += await withoutHang(fuzz({ random, count, connect }), `${target} after ${frames} frames of ${o.seed}`);
      frames += count;
      residentMiB = Math.max(residentMiB, inMiB(Deno.memoryUsage().rss));
      if (quarterHeapMiB === 0 && frames >= o.count / 4) quarterHeapMiB = await liveHeapMiB();
    }
  });
  const heapMiB = await liveHeapMiB();
  assert.ok(heapMiB - quarterHeapMiB < HEAP_MIB, `the heap grew from ${quarterHeapMiB} to ${heapMiB} MiB`);
  assert.ok(residentMiB < RESIDENT_MIB, `${residentMiB} MiB were resident`);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  return { target, frames, seen, seconds, quarterHeapMiB, heapMiB, residentMiB };
}

const inMiB = (bytes: number) => Math.round(bytes / (1 << 20));

/** What is left after a collection; 0 where the engine does not let a program ask for one. */
async function liveHeapMiB(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) return 0;
  // Timers of rewriters and handlers end within this.
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  gc();
  return inMiB(Deno.memoryUsage().heapUsed);
}

interface Round {
  readonly random: Random;
  readonly count: number;
  /** Opens a connection. */
  readonly connect: () => Promise<readonly [net.Socket, net.Socket]>;
}

/** A parser that notes whole frames and insists on the size limit. */
function createNotes(onFrame: (header: FrameHeader, payload: Uint8Array) => void = () => {}) {
  const notes = { seen: 0, parser: undefined as unknown as FrameParser };
  notes.parser = createFrameParser({
    onFrame(header, payload) {
      assert.equal(payload.byteLength, header.length);
      assert.ok(header.length <= MAX_PAYLOAD_BYTES);
      notes.seen++;
      onFrame(header, payload);
    },
    onOversized: (header) => assert.ok(header.length > MAX_PAYLOAD_BYTES),
  });
  return notes;
}

function makeFrames(random: Random, count: number): Uint8Array[] {
  return Array.from({ length: count }, createFrameSource(random));
}

function fuzzParser({ random, count }: Round): Promise<number> {
  const notes = createNotes();
  for (const chunk of cutAnywhere(makeFrames(random, count), random)) notes.parser.push(chunk);
  try {
    notes.parser.end();
  } catch (error) {
    assert.equal((error as { kind?: string }).kind, "closed");
  }
  return Promise.resolve(notes.seen);
}

/** What the parser makes of `frames`, encoded again: what a splice without rewriters has to let through. */
function wholeFrames(frames: readonly Uint8Array[]): Uint8Array {
  const whole: Uint8Array[] = [];
  createNotes((header, payload) => whole.push(encodeFrame(header, payload))).parser.push(Buffer.concat(frames));
  return Buffer.concat(whole);
}

async function fuzzSplice({ random, count, connect }: Round): Promise<number> {
  const [client, nearClient] = await connect();
  const [nearServer, server] = await connect();
  const rewriters = random(4) === 0 ? new Map() : fuzzRewriters(random);
  const splice = spliceTtrpc({ client: nearClient, server: nearServer, rewriters, log });
  const requests = makeFrames(random, count);
  const replies = makeFrames(random, random(count) + 1);
  const isPlain = rewriters.size === 0;
  const expected = isPlain ? wholeFrames(requests) : new Uint8Array(0);
  const toServer: Uint8Array[] = [];
  const complete = Promise.withResolvers<void>();
  let arrived = 0;
  const asked = createNotes();
  const answered = createNotes();
  server.on("data", (chunk) => {
    if (isPlain) toServer.push(chunk);
    arrived += chunk.byteLength;
    if (arrived >= expected.byteLength) complete.resolve();
    asked.parser.push(chunk);
  });
  client.on("data", (chunk) => answered.parser.push(chunk));
  const writes = [writeAll(client, requests, random), writeAll(server, replies, random)];
  if (isPlain) {
    await Promise.all(writes);
    if (expected.byteLength > 0) await complete.promise;
    assert.ok(
      Buffer.compare(Buffer.concat(toServer).subarray(0, expected.byteLength), expected) === 0,
      "bytes changed",
    );
  } else if (random(2) === 0) {
    // Not always to the end: a server that stops inside a frame stops the answers, and these stop the client.
    await within(PATIENCE_MS, Promise.all(writes));
  }
  // Either end leaves, in either way, perhaps in the middle of all.
  const leaving = [client, server][random(2)]!;
  if (random(2) === 0) leaving.destroy();
  else leaving.end();
  await Promise.all([splice.closed, ...writes, ...[client, server].map(untilClosed)]);
  assert.equal(splice.stats.held, 0);
  return asked.seen + answered.seen;
}

/** Rewriters that answer at once, later, in another order, with too much, with errors, or never. */
function fuzzRewriters(random: Random): Rewriters {
  const waiting: (() => void)[] = [];
  const held: Rewriter = (payload) =>
    new Promise((resolve) => {
      waiting.push(() => resolve(random(2) === 0 ? payload : payload.slice(random(20))));
      while (waiting.length > random(10)) waiting.splice(random(waiting.length), 1)[0]!();
    });
  const parked: Rewriter = (_, { signal }) => untilAborted(signal, random(3)).then(() => Promise.reject(signal.reason));
  const refused: Rewriter = () => {
    if (random(2) === 0) throw new TypeError("refused");
    return Promise.reject(new TypeError("refused later"));
  };
  const grown: Rewriter = (payload) =>
    random(1000) === 0 ? new Uint8Array(MAX_PAYLOAD_BYTES + 1) : Buffer.concat([payload, payload]);
  return new Map([["t.S/Held", held], ["t.S/Parked", parked], ["t.S/Refused", refused], ["t.S/Grown", grown]]);
}

async function fuzzServer({ random, count, connect }: Round): Promise<number> {
  const [client, accepted] = await connect();
  const echo = (payload: Uint8Array) => Promise.resolve(payload);
  const methods = new Map([
    ["Plain", echo],
    ["Held", async (payload: Uint8Array) => (await Promise.resolve(), payload)],
    ["Refused", () => Promise.reject(new TypeError("refused"))],
    ["Grown", (payload: Uint8Array) => Promise.resolve(Buffer.concat([payload, payload]))],
    ["Parked", async (payload: Uint8Array, { signal }: { signal: AbortSignal }) => {
      await untilAborted(signal, random(3));
      return payload;
    }],
  ]);
  const services = new Map([["t.S", methods], ["grpc.Health", new Map([["Check", echo]])]]);
  const server = createTtrpcServer({ services, log });
  server.serve(accepted);
  const answered = createNotes((header, payload) => {
    assert.equal(header.type, MessageType.response);
    decodeResponse(payload);
  });
  client.on("data", (chunk) => answered.parser.push(chunk));
  const written = writeAll(client, makeFrames(random, count), random);
  if (random(2) === 0) await written;
  if (random(2) === 0) client.destroy();
  else client.end();
  await Promise.all([written, untilClosed(client), untilClosed(accepted)]);
  await server.shutdown();
  return answered.seen;
}

/** Writes the frames in chunks, no faster than they are taken; gives up quietly when the connection goes. */
async function writeAll(socket: net.Socket, frames: readonly Uint8Array[], random: Random): Promise<void> {
  for (const chunk of cutAnywhere(frames, random)) {
    if (!socket.writable) return;
    if (!socket.write(chunk)) {
      await new Promise<void>((resolve) => {
        const done = () => {
          socket.off("drain", done).off("close", done);
          resolve();
        };
        socket.on("drain", done).on("close", done);
      });
    }
  }
}

/** Runs `body` with a way to open any number of unix connections. */
function withSocketSource(body: (connect: Round["connect"]) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    const path = join(dir, "fuzz.sock");
    const listener = net.createServer().listen(path);
    await once(listener, "listening");
    const open = new Set<net.Socket>();
    try {
      await body(async () => {
        const accepting = once(listener, "connection");
        const dialled = net.connect(path);
        const [accepted] = await accepting as [net.Socket];
        for (const socket of [dialled, accepted]) {
          open.add(socket);
          socket.on("error", () => {}).on("close", () => open.delete(socket));
        }
        return [dialled, accepted];
      });
    } finally {
      for (const socket of open) socket.destroy();
      await once(listener.close(), "close");
    }
  });
}

async function withoutHang<T>(work: Promise<T>, what: string): Promise<T> {
  const result = await within(HANG_MS, work.then((value) => ({ value })));
  if (result === undefined) throw new Error(`Hung: ${what}`);
  return result.value;
}

/** Resolves to what `work` does, or to undefined after `milliseconds`. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), milliseconds);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the signal aborts or the time is over. */
function untilAborted(signal: AbortSignal, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seed: { type: "string" }, count: { type: "string" } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const count = Number(values.count ?? 2_000_000);
  for (const target of FUZZ_TARGETS) {
    console.log(`${target}: ${count} frames from seed ${seed}`);
    const report = await fuzzTtrpc(target, { seed, count });
    const { frames, seen, seconds, quarterHeapMiB, heapMiB, residentMiB } = report;
    console.log(`${target}: ${frames} in, ${seen} out, ${seconds} s`);
    console.log(`${target}: heap ${quarterHeapMiB} MiB, then ${heapMiB} MiB; at most ${residentMiB} MiB resident`);
  }
}
