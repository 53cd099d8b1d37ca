// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createWriter, readStart } from "./start.ts";

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

Deno.test("readStart() takes PEERCTL_ARGV0 out of the environment and starts again what PEERCTL_SELF names", () => {
  Deno.env.set("PEERCTL_ARGV0", "/opt/bin/caa");
  Deno.env.set("PEERCTL_SELF", "/opt/bin/peerctl");
  try {
    const start = readStart({ names: ["caa"], mainUrl: import.meta.url });
    assert.deepEqual([start.calledAs, start.selfCommand], ["caa", ["/opt/bin/peerctl"]]);
    assert.equal(start.env.PEERCTL_ARGV0, undefined);
    assert.equal(Deno.env.get("PEERCTL_ARGV0"), undefined);
  } finally {
    Deno.env.delete("PEERCTL_SELF");
  }
});

Deno.test("readStart() starts again the file that was started, with this deno and its configuration", () => {
  const start = readStart({ names: ["caa"], mainUrl: import.meta.url });
  const file = new URL(import.meta.url).pathname;
  assert.equal(start.calledAs, "");
  assert.equal(start.selfCommand[0], Deno.execPath());
  assert.deepEqual(start.selfCommand.slice(-3), ["--config", file.replace(/[^/]+$/, "deno.json"), file]);
});
