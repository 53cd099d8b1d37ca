// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { findProgram, launch } from "./launch.ts";
import { randomMarkerValue } from "./process_identity.ts";

Deno.test("launch() starts a session of its own without our stdio and with a clean environment", async () => {
  const value = randomMarkerValue();
  const env = { PATH: "/usr/bin:/bin", HOME: "/", NOTIFY_SOCKET: "/run/notify", AWS_SECRET_ACCESS_KEY: "x" };
  const { identity, reap } = launch(["sleep", "1000"], { env, marker: `PEERCTL_VM=${value}`, cwd: "/" });
  const { pid } = identity;
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    const session = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3];
    assert.equal(session, String(pid));
    assert.deepEqual([0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)), Array(3).fill("/dev/null"));
    const entries = (await Deno.readTextFile(`/proc/${pid}/environ`)).split("\0").filter((entry) => entry !== "");
    assert.deepEqual(entries.sort(), ["HOME=/", "PATH=/usr/bin:/bin", `PEERCTL_VM=${value}`]);
  } finally {
    Deno.kill(pid, "SIGKILL");
    await reap();
  }
});

Deno.test("launch() names the program that cannot be started", () => {
  assert.throws(() => launch(["no-such-program"], { env: { PATH: "/bin" }, marker: "PEERCTL_VM=x", cwd: "/" }), {
    kind: "config",
    message: /Cannot start "no-such-program"/,
  });
});

Deno.test("findProgram() looks along PATH and says what is wrong", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/agent`, "#!/bin/sh\n", { mode: 0o644 });
  const env = { PATH: `/nonexistent:${dir}` };
  await assert.rejects(findProgram("agent", env), { kind: "config", message: /"agent": it is not executable/ });
  await Deno.chmod(`${dir}/agent`, 0o755);
  assert.equal(await findProgram("agent", env), `${dir}/agent`);
  assert.equal(await findProgram(`${dir}/agent`, {}), `${dir}/agent`);
  await assert.rejects(findProgram("agent", {}), { message: /there is no such file/ });
  await assert.rejects(findProgram(dir, env), { message: /it is not a file/ });
  await Deno.remove(dir, { recursive: true });
});
