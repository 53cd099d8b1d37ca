// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import {
  findMarked,
  identifyProcess,
  isRunning,
  isRunningMarked,
  type Marker,
  randomMarkerValue,
  readProcessSpace,
  signalProcess,
} from "./process_identity.ts";

function sleeper(marker: Marker, extra: Record<string, string> = {}) {
  const [name = "", value = ""] = marker.split("=");
  const child = new Deno.Command("sleep", {
    args: ["1000"],
    env: { PATH: "/usr/bin:/bin", ...extra, [name]: value, ZLAST: "z" },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const identity = identifyProcess(child.pid);
  assert.ok(identity);
  return {
    child,
    identity,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch { /* ended by the test */ }
      await child.status;
    },
  };
}

const freshMarker = (): Marker => `PEERCTL_VM=${randomMarkerValue()}`;

Deno.test("findMarked() finds the process with exactly that marker, and no other", async () => {
  const marker = freshMarker();
  await using mine = sleeper(marker);
  await using _longer = sleeper(`${marker}0`);
  await using _inside = sleeper(freshMarker(), { OTHER: `x${marker}`, WITHIN: marker });
  assert.deepEqual(await findMarked(marker), [mine.identity]);
});

Deno.test("isRunningMarked() asks for pid, start time and marker alike", async () => {
  const marker = freshMarker();
  await using mine = sleeper(marker);
  assert.equal(await isRunningMarked(mine.identity, marker), true);
  assert.equal(await isRunningMarked(mine.identity, freshMarker()), false);
  assert.equal(await isRunningMarked({ ...mine.identity, startTime: "1" }, marker), false);
});

Deno.test("signalProcess() spares a process that got the pid of another", async () => {
  await using mine = sleeper(freshMarker());
  assert.equal(signalProcess({ ...mine.identity, startTime: "1" }, "SIGKILL"), false);
  assert.equal(isRunning(mine.identity), true);
  assert.equal(signalProcess(mine.identity, "SIGKILL"), true);
  assert.equal((await mine.child.status).signal, "SIGKILL");
  assert.equal(isRunning(mine.identity), false);
});

Deno.test("identifyProcess() takes a zombie for gone", async () => {
  // The shell becomes sleep, which never asks for the end of the child that the shell had.
  const parent = new Deno.Command("sh", {
    args: ["-c", "exec 3<&0; sh -c 'read line <&3' & echo $!; exec sleep 1000 3<&-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = parent.stdout.getReader();
  const zombie = Number(new TextDecoder().decode((await reader.read()).value));
  assert.ok(identifyProcess(zombie));
  await parent.stdin.close();
  while (!/\) Z /.test(await Deno.readTextFile(`/proc/${zombie}/stat`))) { /* every read is a turn of the loop */ }
  assert.equal(identifyProcess(zombie), undefined);
  parent.kill("SIGKILL");
  await parent.status;
  await reader.cancel();
});

Deno.test("readProcessSpace() reads this boot and this pid namespace", async () => {
  const space = await readProcessSpace();
  assert.match(space.bootId, /^[0-9a-f-]{36}$/);
  assert.match(space.pidNamespace, /^pid:\[\d+\]$/);
});
