// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { STEPS } from "../lib/testing/kill_plan.ts";
import { runPeerctl, startPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

/** The steps of the demo, as a reader of its JSON finds them: the kill loop plays all but the last. */
const DEMO_STEPS = [...STEPS, "stop caa"];

/** Command lines of running processes that name `folder`. */
function processesNaming(folder: string): string[] {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
      if (line.includes(folder)) found.push(line);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

function assertNothingIsLeft(folder: string): void {
  assert.deepEqual(processesNaming(folder), []);
  assert.deepEqual([...Deno.readDirSync(folder)], []);
}

Deno.test("demo runs a whole peer pod and says so as one JSON object", async () => {
  await withTempDir(async (dir) => {
    const { code, stdout, stderr } = await runPeerctl(["demo", "--output", "json"], {
      env: { TMPDIR: dir },
      timeoutMs: 120_000,
    });
    assert.equal(code, 0, stderr);
    const result = JSON.parse(stdout);
    assert.equal(result.ok, true);
    assert.deepEqual(result.steps.map(({ step }: { step: string }) => step), DEMO_STEPS);
    assert.ok(result.steps.every(({ ok, ms }: { ok: boolean; ms: number }) => ok && ms >= 0));
    assertNothingIsLeft(dir);
  });
});

Deno.test("demo prints one line per step", async () => {
  await withTempDir(async (dir) => {
    const { code, stdout } = await runPeerctl(["demo"], { env: { TMPDIR: dir }, timeoutMs: 120_000 });
    assert.equal(code, 0);
    for (const step of DEMO_STEPS) assert.match(stdout, new RegExp(`^${step} +ok +\\d+ ms  `, "m"));
  });
});

for (const step of ["start caa", "StartContainer"]) {
  Deno.test(`demo leaves nothing when it is interrupted after "${step}"`, async () => {
    await withTempDir(async (dir) => {
      await using demo = startPeerctl(["demo"], { env: { TMPDIR: dir } });
      await demo.waitForLine(new RegExp(`^${step} +ok`));
      assert.equal(await demo.stop("SIGINT"), 1);
      assert.ok(demo.lines.some((line) => line.includes("interrupted")), demo.lines.join("\n"));
      assertNothingIsLeft(dir);
    });
  });
}

Deno.test("demo fails, and cleans up, when the machine cannot run it", async () => {
  await withTempDir(async (dir) => {
    const folder = `${dir}/${"a-path-that-is-far-too-long-for-a-unix-socket-".repeat(2)}`;
    await Deno.mkdir(folder);
    const { code, stdout } = await runPeerctl(["demo", "--output", "json"], { env: { TMPDIR: folder } });
    assert.equal(code, 1);
    const result = JSON.parse(stdout);
    assert.equal(result.ok, false);
    assert.match(result.error, /unix socket path has at most 107/);
    assertNothingIsLeft(folder);
  });
});
