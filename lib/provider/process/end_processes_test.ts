// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { endMarked } from "./end_processes.ts";
import { launch } from "./launch.ts";
import { findMarked, identifyProcess, isRunning, type Marker, randomMarkerValue } from "./process_identity.ts";

const env = { PATH: "/usr/bin:/bin" };
const freshMarker = (): Marker => `PEERCTL_VM=${randomMarkerValue()}`;

/** Waits for the file to hold `count` lines, each a pid, by asking the kernel to tell of changes. */
async function pidsIn(dir: string, file: string, count: number): Promise<number[]> {
  using watcher = Deno.watchFs(dir);
  const read = () => Deno.readTextFile(`${dir}/${file}`).then((text) => text.trim().split("\n").map(Number), () => []);
  let pids = await read();
  if (pids.length < count) {
    for await (const _ of watcher) {
      pids = await read();
      if (pids.length >= count) break;
    }
  }
  return pids;
}

Deno.test("endMarked() ends a workload that forked twice and left its session", async () => {
  const dir = await Deno.makeTempDir();
  const marker = freshMarker();
  const workload =
    `setsid sh -c 'echo $$ >> pids; (setsid sh -c "echo \\$\\$ >> pids; exec sleep 1000" &) & exec sleep 1000' &
    echo $$ >> pids; exit 0`;
  const { reap } = launch(["sh", "-c", workload], { env, marker, cwd: dir });
  const pids = await pidsIn(dir, "pids", 3);
  await reap();
  let left: number[] = [];
  // The last one may still be in the middle of its exec, where a process shows no environment.
  while (left.length < 2) left = (await findMarked(marker)).map((process) => process.pid);
  assert.ok(left.every((pid) => pids.includes(pid)), `${left} of ${pids}`);
  await endMarked(marker);
  assert.deepEqual(await findMarked(marker), []);
  assert.deepEqual(left.map(identifyProcess), left.map(() => undefined));
  await Deno.remove(dir, { recursive: true });
});

Deno.test("endMarked() lets the polite end by themselves and kills who does not", async () => {
  const dir = await Deno.makeTempDir();
  const marker = freshMarker();
  const polite = launch(
    ["sh", "-c", "trap 'echo bye > bye; exit 7' TERM; echo $$ > up; while :; do sleep 0.01; done"],
    {
      env,
      marker,
      cwd: dir,
    },
  );
  const deaf = launch(["sh", "-c", "trap '' TERM; echo $$ > up2; while :; do sleep 0.01; done"], {
    env,
    marker,
    cwd: dir,
  });
  await pidsIn(dir, "up", 1);
  await pidsIn(dir, "up2", 1);
  await endMarked(marker, { polite: [polite.identity, deaf.identity], politeMs: 300 });
  assert.equal((await polite.reap()).code, 7);
  assert.equal(await Deno.readTextFile(`${dir}/bye`), "bye\n");
  assert.equal((await deaf.reap()).signal, "SIGKILL");
  await Deno.remove(dir, { recursive: true });
});

Deno.test("endMarked() leaves everything without the marker alone", async () => {
  const other = launch(["sleep", "1000"], { env, marker: freshMarker(), cwd: "/" });
  await endMarked(freshMarker(), { polite: [other.identity], politeMs: 1000 });
  assert.equal(isRunning(other.identity), true);
  Deno.kill(other.identity.pid, "SIGKILL");
  await other.reap();
});

Deno.test("endMarked() stops when nobody wants it any more", async () => {
  const marker = freshMarker();
  const one = launch(["sleep", "1000"], { env, marker, cwd: "/" });
  await assert.rejects(endMarked(marker, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  assert.equal(isRunning(one.identity), true);
  await endMarked(marker);
  await one.reap();
});
