// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { createOutlet, FULL_BYTES } from "./outlet.ts";

/** An outlet on a stream that takes a write only when told to. */
function slowOutlet() {
  const writes: Uint8Array[] = [];
  let take = () => {};
  const socket = new Writable({
    write(chunk, _encoding, done) {
      writes.push(chunk);
      take = done;
    },
  });
  const events: string[] = [];
  const outlet = createOutlet({
    socket,
    onFull: () => events.push("full"),
    onDrained: () => events.push("drained"),
  });
  /** Finishes the write under way and waits until the next one, if any, has begun. */
  const next = () => {
    take();
    return new Promise<void>((resolve) => setImmediate(resolve));
  };
  const texts = () => writes.map((bytes) => Buffer.from(bytes).toString());
  return { outlet, socket, writes, texts, events, next };
}

Deno.test("write() puts small pieces together while one is under way", async () => {
  const { outlet, texts, next } = slowOutlet();
  for (const text of ["a", "b", "c", "d"]) outlet.write(Buffer.from(text));
  assert.deepEqual(texts(), ["a"]);
  await next();
  assert.deepEqual(texts(), ["a", "bcd"]);
  assert.equal(outlet.written, 4);
});

Deno.test("write() does not copy a large piece", async () => {
  const { outlet, writes, next } = slowOutlet();
  const large = Buffer.alloc(100_000);
  outlet.write(Buffer.from("a"));
  outlet.write(large);
  outlet.write(Buffer.from("b"));
  await next();
  assert.equal(writes[1], large);
  await next();
  assert.equal(writes.length, 3);
});

Deno.test("write() says once that it is full, and once that all is written", async () => {
  const { outlet, events, next } = slowOutlet();
  outlet.write(new Uint8Array(FULL_BYTES / 2));
  outlet.write(new Uint8Array(FULL_BYTES / 2));
  assert.deepEqual([outlet.full, events.length], [false, 0]);
  outlet.write(new Uint8Array(1));
  outlet.write(new Uint8Array(1));
  assert.deepEqual([outlet.full, ...events], [true, "full"]);
  await next();
  await next();
  assert.deepEqual(events, ["full"]);
  await next();
  assert.deepEqual([outlet.full, ...events], [false, "full", "drained"]);
});

Deno.test("write() frees a large piece when it is written or copied, unless it is a part of something", async () => {
  const { outlet, next } = slowOutlet();
  const bytes = 10_000;
  const [first, second, third] = [new Uint8Array(bytes), new Uint8Array(bytes), new Uint8Array(bytes)];
  const part = new Uint8Array(2 * bytes).subarray(bytes);
  for (const piece of [first, second, third, part]) outlet.write(piece);
  assert.equal(first.byteLength, bytes);
  await next();
  assert.deepEqual([first, second, third, part].map(({ byteLength }) => byteLength), [0, 0, 0, bytes]);
  await next();
  assert.equal(part.byteLength, bytes);
});

Deno.test("end() writes what waits and calls back when all is taken", async () => {
  const { outlet, texts, next } = slowOutlet();
  for (const text of ["a", "b", "c"]) outlet.write(Buffer.from(text));
  let flushed = false;
  outlet.end(() => flushed = true);
  await next();
  await next();
  assert.equal(flushed, false);
  await next();
  assert.equal(flushed, true);
  assert.equal(texts().join(""), "abc");
});
