// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { Code } from "../../../ttrpc/status.ts";
import { findMarked, randomMarkerValue } from "../process_identity.ts";
import { createContainers, type MakeSpec } from "./containers.ts";

const never = new AbortController().signal;
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const run = (script: string): MakeSpec => (addedEnv) => ({
  args: ["sh", "-c", script],
  env: { PATH: "/usr/bin:/bin", ...addedEnv },
  cwd: "/",
  uid: 0,
  gid: 0,
});

Deno.test("create() refuses bad ids and ids that are there", async () => {
  const containers = createContainers({ addedEnv: {} });
  for (const id of ["", "a", "../x", "a/b", "-ab", "a".repeat(257), "ab\0"]) {
    assert.throws(() => containers.create(id, "", run("exit")), { code: Code.invalidArgument }, id);
  }
  containers.create("c1", "c1", run("exit"));
  assert.throws(() => containers.create("c1", "", run("exit")), { code: Code.alreadyExists });
  await containers.end();
});

Deno.test("process() tells an unknown container from an unknown process", async () => {
  const containers = createContainers({ addedEnv: {} });
  containers.create("c1", "c1", run("exit"));
  assert.equal(containers.process("c1", ""), containers.process("c1", "c1"));
  assert.throws(() => containers.process("c2", ""), { code: Code.invalidArgument });
  assert.throws(() => containers.process("c1", "e1"), { code: Code.notFound });
  await containers.end();
});

Deno.test("exec() runs beside the first process, and only while that runs", async () => {
  const containers = createContainers({ addedEnv: {} });
  containers.create("c1", "c1", run("read line"));
  assert.throws(() => containers.exec("c1", "e1", run("exit")), { code: Code.failedPrecondition });
  containers.start("c1");
  assert.throws(() => containers.start("c1"), { code: Code.failedPrecondition });
  containers.exec("c1", "e1", run("exit 5"));
  assert.throws(() => containers.exec("c1", "e1", run("exit")), { code: Code.alreadyExists });
  assert.throws(() => containers.exec("c1", "", run("exit")), { code: Code.invalidArgument });
  assert.equal(await containers.process("c1", "e1").exitStatus, 5);
  containers.process("c1", "").closeStdin();
  assert.equal(await containers.process("c1", "").exitStatus, 1);
  assert.throws(() => containers.exec("c1", "e2", run("exit")), { code: Code.failedPrecondition });
  await containers.end();
});

Deno.test("remove() ends what left its session and process group, and answers who waits", async () => {
  const value = randomMarkerValue();
  const containers = createContainers({ addedEnv: { PEERCTL_VM: value } });
  containers.create("c1", "c1", run('setsid sh -c "sleep 1000 & exec sleep 1000" & echo up; exec sleep 1000'));
  containers.create("c2", "c2", run("echo up; exec sleep 1000"));
  for (const id of ["c1", "c2"]) {
    containers.start(id);
    assert.equal(text(await containers.process(id, "").stdout.read(100, never)), "up\n");
  }
  const first = containers.process("c1", "");
  const parked = first.stdout.read(100, never);
  const removing = containers.remove("c1");
  assert.throws(() => containers.exec("c1", "e1", run("exit")), { code: Code.failedPrecondition });
  await Promise.all([removing, containers.remove("c1")]);
  assert.equal(await first.exitStatus, 137);
  assert.equal((await parked).byteLength, 0);
  assert.throws(() => containers.process("c1", ""), { code: Code.invalidArgument });
  const left = (await findMarked(`PEERCTL_VM=${value}`)).length;
  assert.equal(left, 1, "only the other container's process is left");
  await containers.end();
  assert.deepEqual(await findMarked(`PEERCTL_VM=${value}`), []);
  assert.throws(() => containers.create("c3", "", run("exit")), { code: Code.failedPrecondition });
});

Deno.test("remove() ends a process that has wiped its environment", async () => {
  const containers = createContainers({ addedEnv: {} });
  containers.create("c1", "c1", run("exec env -i /bin/sh -c 'echo up; read line'"));
  containers.start("c1");
  const { stdout, exitStatus } = containers.process("c1", "");
  assert.equal(text(await stdout.read(100, never)), "up\n");
  await containers.remove("c1");
  assert.equal(await exitStatus, 137);
  await containers.end();
});

Deno.test("signalAll() reaches descendants, also before the start", async () => {
  const containers = createContainers({ addedEnv: {} });
  containers.create("c1", "c1", run("(trap 'echo usr1; exit' USR1; echo up; while :; do sleep 0.01; done) & wait"));
  containers.create("c2", "c2", run("exit"));
  containers.start("c1");
  const { stdout, exitStatus } = containers.process("c1", "");
  assert.equal(text(await stdout.read(100, never)), "up\n");
  await containers.signalAll("c1", 10);
  assert.equal(text(await stdout.read(100, never)), "usr1\n");
  assert.equal(await exitStatus, 128 + 10);
  await containers.signalAll("c2", 15);
  assert.equal(await containers.process("c2", "").exitStatus, 143);
  await assert.rejects(containers.signalAll("c2", 99), { code: Code.invalidArgument });
  await containers.end();
});
