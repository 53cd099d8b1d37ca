// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createWriter } from "./start.ts";

Deno.test("createWriter() writes all of a text, however little the stream takes at once", () => {
  const written: number[] = [];
  createWriter({
    writeSync(bytes) {
      written.push(bytes[0]!);
      return 1;
    },
  })("abc");
  assert.equal(String.fromCharCode(...written), "abc");
});

Deno.test("createWriter() goes on when a full pipe has room again", () => {
  let calls = 0;
  createWriter({
    writeSync(bytes) {
      if (++calls < 3) throw new Deno.errors.WouldBlock();
      return bytes.byteLength;
    },
  })("abc");
  assert.equal(calls, 3);
});

Deno.test("createWriter() says nothing more once its reader is gone", () => {
  let calls = 0;
  const write = createWriter({
    writeSync() {
      calls++;
      throw new Deno.errors.BrokenPipe();
    },
  });
  write("a");
  write("b");
  assert.equal(calls, 1);
});

Deno.test("createWriter() reports any other failure", () => {
  const write = createWriter({
    writeSync() {
      throw new Deno.errors.NotCapable("closed");
    },
  });
  assert.throws(() => write("a"), Deno.errors.NotCapable);
});
