// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { connectRelay, type RelayClient } from "../lib/agent/relay_client.ts";
import { relaySlotPaths } from "../lib/agent/relay_slot.ts";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { type GuestEnd, startGuestEnd } from "../lib/testing/guest_end.ts";
import { PEERCTL_FILE, peerctlCommand, runPeerctl, startPeerctl, startScript } from "../lib/testing/peerctl.ts";
import type { SpawnerTask } from "../lib/testing/relay_spawner.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";

const log = getLogger(["peerctl", "test"]);
const never = new AbortController().signal;
const READY = /Ready/;

Deno.test("relay refuses a slot that is taken or no number, with one clear line", async () => {
  await withTempDir(async (parent) => {
    const dir = join(parent, "relay");
    await using first = startPeerctl(["relay", "-dir", dir, "-stay"]);
    await first.waitForLine(READY);
    const second = await runPeerctl(["relay", "-dir", dir, "-slot", "0"]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /^peerctl relay: error: Cannot take relay slot 0 in .*: another relay has it$/m);
    const third = await runPeerctl(["relay", "-dir", dir, "-slot", "../x"]);
    assert.equal(third.code, 2);
    assert.equal(await first.stop(), 0);
    assert.deepEqual([...Deno.readDirSync(join(dir, "0"))].map(({ name }) => name), ["lock"]);
  });
});

Deno.test("relay outlives kill -9 of its starter, shares nothing with it, and ends within 3 s of its sandbox", async () => {
  await withTempDir(async (parent) => {
    const guest = await startGuestEnd({ log, tlsName: "podvm-one" });
    const task = spawnerTask(parent, guest);
    await Deno.writeTextFile(task.heldFile, "");
    await using spawner = startScript(fileURLToPath(new URL("../lib/testing/relay_spawner.ts", import.meta.url)), [
      JSON.stringify(task),
    ], { env: { AWS_SECRET_ACCESS_KEY: "s3cret", INVOCATION_ID: "" } });
    let pid = 0;
    try {
      await spawner.waitForLine(/opened/);
      const early = await connect(task.dir);
      pid = Number(early.hello.pid);
      early.disconnect();
      await early.closed;
      assertSharesNothing(pid, task);
      await spawner.kill();

      const agent = createTtrpcClient(await dialUnix(task.agentSocket));
      await agent.call("grpc.Health", "Check", new Uint8Array());
      const relay = await connect(task.dir);
      const [sandbox] = await relay.list();
      assert.deepEqual([sandbox?.sandboxId, sandbox?.labels], ["s1", { pod: "p" }]);

      const begin = performance.now();
      assert.equal(await relay.close("s1"), true);
      await Promise.all([agent.closed, relay.closed]);
      await processEnd(pid);
      const took = performance.now() - begin;
      assert.ok(took < 3_000, `the process ended after ${took} ms`);
      pid = 0;
      assertLog(relaySlotPaths(task.dir, "0").log, guest);
    } finally {
      if (pid !== 0) Deno.kill(pid, "SIGKILL");
      await guest.stop();
    }
  });
});

Deno.test("relay that is stopped takes its sandboxes along, says so and leaves no socket", async () => {
  await withTempDir(async (parent) => {
    const guest = await startGuestEnd({ log });
    const dir = join(parent, "relay");
    const agentSocket = join(parent, "agent.ttrpc");
    const { host, port } = guest;
    await using process = startPeerctl(["relay", "-dir", dir, "-slot", "7", "-stay"]);
    try {
      await process.waitForLine(READY);
      const relay = await connect(dir, "7");
      assert.equal(relay.hello.stay, true);
      await relay.open({ sandboxId: "s1", agentSocket, host, port, timeoutMs: 10_000n }, never);
      assert.equal(await process.stop(), 0);
      await relay.closed;
      await assert.rejects(Deno.lstat(agentSocket), Deno.errors.NotFound);
      assert.match(process.lines.join("\n"), /Relay ends and takes its sandboxes along.*"?sandboxes"?\W+1\b/);
    } finally {
      await guest.stop();
    }
  });
});

Deno.test("relay that is killed is noticed, and the next one in its slot opens the same sandbox again", async () => {
  await withTempDir(async (parent) => {
    const guest = await startGuestEnd({ log });
    const dir = join(parent, "relay");
    const { host, port } = guest;
    const sandbox = { sandboxId: "s1", agentSocket: join(parent, "agent.ttrpc"), host, port, timeoutMs: 10_000n };
    try {
      for (let round = 0; round < 2; round++) {
        await using process = startPeerctl(["relay", "-dir", dir]);
        const relay = await untilConnected(dir);
        await relay.open(sandbox, never);
        const agent = createTtrpcClient(await dialUnix(sandbox.agentSocket));
        await agent.call("grpc.Health", "Check", new Uint8Array());
        await process.kill();
        await Promise.all([relay.closed, agent.closed, guest.untilConnections(0)]);
        assert.equal(await connectRelay({ dir, slot: "0", build: "test" }), undefined);
      }
    } finally {
      await guest.stop();
    }
  });
});

Deno.test("relay keeps its own log, puts a full one aside once and prints nothing", async () => {
  await withTempDir(async (parent) => {
    const { folder, log: logFile } = relaySlotPaths(join(parent, "relay"), "0");
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(logFile, new Uint8Array(2 * 1024 * 1024).fill(0x2e));
    await Deno.writeTextFile(`${logFile}.1`, "older");
    await using process = startPeerctl(["relay", "-dir", join(parent, "relay")]);
    const relay = await untilConnected(join(parent, "relay"));
    relay.disconnect();
    await relay.closed;
    assert.equal(await process.stop(), 0);
    assert.deepEqual(process.lines, []);
    assert.equal((await Deno.stat(`${logFile}.1`)).size, 2 * 1024 * 1024);
    assert.match(await Deno.readTextFile(logFile), /Relay started/);
    assert.ok((await Deno.stat(logFile)).size < 10_000);
  });
});

function spawnerTask(parent: string, guest: GuestEnd): SpawnerTask {
  const { host, port, tls } = guest;
  assert.ok(tls);
  const { ca = "", cert = "", key = "" } = tls.credentials;
  return {
    dir: join(parent, "relay"),
    main: [...peerctlCommand],
    sandboxId: "s1",
    agentSocket: join(parent, "agent.ttrpc"),
    host,
    port,
    tls: { serverName: tls.serverName, caPem: ca, certPem: cert, keyPem: key },
    heldFile: join(parent, "held"),
  };
}

async function connect(dir: string, slot = "0"): Promise<RelayClient> {
  const relay = await connectRelay({ dir, slot, build: "test" });
  assert.ok(relay, `no relay answers in slot ${slot}`);
  return relay;
}

/** A relay that logs to its file has no output to wait for. */
async function untilConnected(dir: string): Promise<RelayClient> {
  for (let left = 500; left > 0; left--) {
    const relay = await connectRelay({ dir, slot: "0", build: "test" });
    if (relay) return relay;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("no relay came");
}

/** Looks at the process itself: its session, its environment, its folder and every open descriptor. */
function assertSharesNothing(pid: number, task: SpawnerTask): void {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  assert.equal(Number(fields[3]), pid, "it leads a session of its own");
  const names = Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0").map((entry) => entry.split("=")[0]);
  const kept = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "NO_COLOR", "LANG", "TZ", ""];
  // What the launcher of a built peerctl sets anew.
  const launched = [
    "PWD",
    "PEERCTL_ARGV0",
    "PEERCTL_SELF",
    "DENO_NO_UPDATE_CHECK",
    "DENO_NO_PACKAGE_JSON",
    "MALLOC_ARENA_MAX",
  ];
  const allowed = PEERCTL_FILE.endsWith(".ts") ? kept : [...kept, ...launched];
  assert.deepEqual(names.filter((name) => !allowed.includes(name ?? "")), []);
  assert.equal(Deno.readLinkSync(`/proc/${pid}/cwd`), "/");
  const targets = new Map<string, string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      targets.set(name, Deno.readLinkSync(`/proc/${pid}/fd/${name}`));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // closed since it was listed
    }
  }
  for (const stdio of ["0", "1", "2"]) assert.equal(targets.get(stdio), "/dev/null");
  const own = (target: string) =>
    target === "/dev/null" || /^(anon_inode|socket):/.test(target) || /_cache_v\d+(-wal|-shm)?$/.test(target) ||
    target.startsWith(join(task.dir, "0"));
  assert.deepEqual([...targets.values()].filter((target) => !own(target)), []);
}

/** Its own log tells what happened, and no line of any key or certificate. */
function assertLog(path: string, guest: GuestEnd): void {
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  const text = Deno.readTextFileSync(path);
  assert.match(text, /Sandbox opened/);
  assert.match(text, /Agent connection opened/);
  assert.match(text, /Sandbox closed/);
  assert.doesNotMatch(text, /BEGIN|PRIVATE/);
  for (const pem of Object.values(guest.tls?.credentials ?? {})) {
    for (const line of (pem ?? "").trim().split("\n").slice(1, -1)) assert.ok(!text.includes(line));
  }
}

/** Not a child of ours, so there is no event; a zombie has ended. */
async function processEnd(pid: number): Promise<void> {
  const isAlive = () => {
    try {
      return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
    } catch {
      return false;
    }
  };
  for (let left = 500; left > 0 && isAlive(); left--) await new Promise((resolve) => setTimeout(resolve, 10));
}
