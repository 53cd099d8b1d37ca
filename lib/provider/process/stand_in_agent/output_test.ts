// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createOutput } from "./output.ts";

const never = new AbortController().signal;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A shell whose stdout is the output under test, steered by the lines it reads. */
function shell(script: string) {
  const child = new Deno.Command("sh", { args: ["-c", script], stdin: "piped", stdout: "piped" }).spawn();
  const output = createOutput();
  output.attach(child.stdout);
  const writer = child.stdin.getWriter();
  return {
    output,
    say: (line: string) => writer.write(new TextEncoder().encode(`${line}\n`)),
    async end() {
      await writer.close().catch(() => {});
      const status = await child.status;
      output.processEnded();
      return status;
    },
  };
}

Deno.test("read() waits for output, takes no more than asked for and ends with nothing", async () => {
  const { output, say, end } = shell("read a; printf 123456; read b");
  const first = output.read(4, never);
  await say("");
  assert.equal(text(await first), "1234");
  assert.equal(text(await output.read(4, never)), "56");
  const atEnd = output.read(4, never);
  await end();
  assert.equal((await atEnd).byteLength, 0);
  assert.equal((await output.read(4, never)).byteLength, 0);
});

Deno.test("read() that gives up leaves what comes then to the next one, in order", async () => {
  const { output, say, end } = shell("read a; printf first; read b; printf second");
  const gone = new AbortController();
  const given = output.read(100, gone.signal);
  const next = output.read(5, never);
  gone.abort(new Error("client gone"));
  await assert.rejects(given, /client gone/);
  await say("");
  assert.equal(text(await next), "first");
  const last = output.read(100, never);
  await say("");
  assert.equal(text(await last), "second");
  await end();
  assert.equal((await output.read(1, never)).byteLength, 0);
});

Deno.test("read() ends although a descendant of the ended process still holds the pipe", async () => {
  const { output, end } = shell("sleep 1000 & printf $!");
  const pid = Number(text(await output.read(100, never)));
  const parked = output.read(100, never);
  await end();
  assert.equal((await parked).byteLength, 0);
  Deno.kill(pid, "SIGKILL");
});

Deno.test("read() leaves what nobody asked for in the pipe, so that the process waits", async () => {
  const { output, end } = shell("head -c 1000000 /dev/zero; read a");
  let most = 0, sum = 0;
  while (sum < 1_000_000) {
    const { byteLength } = await output.read(1_000_000, never);
    most = Math.max(most, byteLength);
    sum += byteLength;
  }
  assert.equal(sum, 1_000_000);
  assert.ok(most <= 64 * 1024, `${most}`);
  await end();
  await output.release();
});

Deno.test("release() answers the calls that wait", async () => {
  const { output, end } = shell("read a");
  const parked = output.read(1, never);
  await output.release();
  assert.equal((await parked).byteLength, 0);
  await end();
  const neverAttached = createOutput();
  const early = neverAttached.read(1, never);
  await neverAttached.release();
  assert.equal((await early).byteLength, 0);
});
