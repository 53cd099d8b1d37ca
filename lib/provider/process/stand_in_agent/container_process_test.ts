// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { Code } from "../../../ttrpc/status.ts";
import { createContainerProcess, environmentOf, type ProcessSpec, signalName } from "./container_process.ts";

const never = new AbortController().signal;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const spec = (script: string, o: Partial<ProcessSpec> = {}): ProcessSpec => ({
  args: ["sh", "-c", script],
  env: { PATH: "/usr/bin:/bin" },
  cwd: "/",
  uid: 0,
  gid: 0,
  ...o,
});

Deno.test("start() runs what the spec says; the status is the exit code", async () => {
  const process = createContainerProcess(spec('pwd; echo "$X" >&2; exit 3', { env: { X: "a=b" }, cwd: "/usr" }));
  assert.equal(process.state, "created");
  process.start();
  assert.equal(text(await process.stdout.read(100, never)), "/usr\n");
  assert.equal(text(await process.stderr.read(100, never)), "a=b\n");
  assert.equal(await process.exitStatus, 3);
  assert.equal(process.state, "ended");
  assert.throws(() => process.start(), { code: Code.failedPrecondition });
  await process.release();
});

Deno.test("start() runs in / when the working directory is not there", async () => {
  const process = createContainerProcess(spec("pwd", { cwd: "/nonexistent" }));
  process.start();
  assert.equal(text(await process.stdout.read(100, never)), "/\n");
  await process.exitStatus;
  await process.release();
});

Deno.test("start() says which program is not there", () => {
  const process = createContainerProcess(spec("", { args: ["/nonexistent/x"] }));
  assert.throws(() => process.start(), {
    code: Code.internal,
    message: /"\/nonexistent\/x": there is no such program/,
  });
});

Deno.test("signal() ends with 128 and the signal's number, before the start and after it", async () => {
  const unstarted = createContainerProcess(spec("exit 0"));
  unstarted.signal(1);
  assert.equal(unstarted.state, "created");
  unstarted.signal(9);
  assert.equal(await unstarted.exitStatus, 137);
  assert.equal((await unstarted.stdout.read(1, never)).byteLength, 0);

  const running = createContainerProcess(spec("trap 'echo hup' HUP; echo up; while :; do read line; done"));
  running.start();
  assert.equal(text(await running.stdout.read(100, never)), "up\n");
  running.signal(0);
  running.signal(15);
  assert.equal(await running.exitStatus, 143);
  running.signal(9);
  await running.release();
});

Deno.test("writeStdin() waits until the process takes it, and fails when it is closed", async () => {
  const process = createContainerProcess(spec("exec sleep 1000"));
  await assert.rejects(process.writeStdin(bytes("x"), never), { code: Code.failedPrecondition });
  process.start();
  const big = process.writeStdin(new Uint8Array(1 << 20), never);
  await assert.rejects(process.writeStdin(new Uint8Array(8 << 20), never), { code: Code.resourceExhausted });
  process.signal(9);
  await assert.rejects(big, { code: Code.failedPrecondition });
  await process.exitStatus;
  await assert.rejects(process.writeStdin(bytes("x"), never), { code: Code.failedPrecondition });
  await process.release();
});

Deno.test("writeStdin() with nothing closes stdin behind what was written", async () => {
  const process = createContainerProcess(spec("cat"));
  process.start();
  assert.equal(await process.writeStdin(bytes("last words"), never), 10);
  assert.equal(await process.writeStdin(new Uint8Array(), never), 0);
  assert.equal(text(await process.stdout.read(100, never)), "last words");
  assert.equal(await process.exitStatus, 0);
  await process.release();
});

Deno.test("signalName() refuses numbers that are no signals", () => {
  assert.equal(signalName(9), "SIGKILL");
  assert.equal(signalName(0), undefined);
  assert.throws(() => signalName(99), { code: Code.invalidArgument });
});

Deno.test("environmentOf() lets the last entry and then the added ones win", () => {
  const env = environmentOf(["A=1", "A=2", "B=x=y", "junk", "=z", "PEERCTL_VM=forged"], { PEERCTL_VM: "real" });
  assert.deepEqual({ ...env }, { A: "2", B: "x=y", PEERCTL_VM: "real" });
});
