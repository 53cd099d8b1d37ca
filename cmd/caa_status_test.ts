// SPDX-License-Identifier: Apache-2.0
/** `peerctl caa status` and `peerctl caa forget`. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { listenUnix } from "../lib/net/unix_socket.ts";
import { caaService } from "../lib/sandbox/caa_service.ts";
import type { CaaStatus } from "../lib/sandbox/status.ts";
import { podAnnotations, startCaa, withCaaDir, withHypervisor } from "../lib/testing/caa_process.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { createTtrpcServer } from "../lib/ttrpc/server.ts";

const nowMs = 1_700_000_000_000;

const busy: CaaStatus = {
  provider: "fake",
  nowMs,
  sandboxes: [
    {
      id: "sb1",
      pod: "web",
      namespace: "shop",
      state: "failed",
      createdMs: nowMs - 90_000,
      changedMs: nowMs - 5_000,
      instance: "i-1",
      relay: "",
      lastError: "the relay is gone\nfor good",
    },
  ],
  deletions: [{ sandbox: "sb0", instance: "i-0", attempts: 4, lastError: "cloud is down", nextMs: nowMs + 16_000 }],
  orphans: [{ sandbox: "old", instance: "i-7", seenMs: nowMs - 60_000, deleteMs: nowMs + 540_000 }],
  warnings: ["relay 0 is of build x"],
};

/** Serves what operators ask, without a caa; `forgotten` gets the sandboxes that are given up. */
async function withService(status: CaaStatus, body: (socket: string, forgotten: string[]) => Promise<void>) {
  await withTempDir(async (dir) => {
    const forgotten: string[] = [];
    const reaper = { forget: (id: string) => (forgotten.push(id), id === "sb0" ? 2 : 0) };
    const services = new Map([caaService({ build: "1.2.3+abc", status: () => status, reaper })]);
    const server = createTtrpcServer({ services, log: getLogger(["peerctl", "test"]) });
    const path = join(dir, "h.sock");
    const listener = await listenUnix({ path, onConnection: (socket) => server.serve(socket) });
    try {
      await body(path, forgotten);
    } finally {
      server.close();
      await listener.close();
    }
  });
}

Deno.test("caa status and caa forget say in one line that no caa runs, with exit 1", async () => {
  await withTempDir(async (dir) => {
    const socket = join(dir, "h.sock");
    for (const args of [["status"], ["forget", "sb1"]]) {
      const result = await runPeerctl(["caa", ...args, "-socket", socket]);
      assert.deepEqual([result.code, result.stdout], [1, ""]);
      const [error, hint, ...more] = result.stderr.trimEnd().split("\n");
      assert.equal(error, `peerctl caa ${args[0]}: error: Cannot ask caa on "${socket}": no caa runs there`);
      assert.match(hint ?? "", /hint: give the --socket/);
      assert.deepEqual(more, []);
    }
    // As a caa leaves it that was killed.
    Deno.listen({ transport: "unix", path: socket }).close();
    const json = await runPeerctl(["caa", "status", "-output", "json"], {
      env: { REMOTE_HYPERVISOR_ENDPOINT: socket },
    });
    assert.deepEqual([json.code, json.stdout], [1, ""]);
    assert.match(JSON.parse(json.stderr).errors[0].message, /no caa runs there/);
  });
});

Deno.test("caa status tells a socket that is another program's", async () => {
  await withTempDir(async (dir) => {
    const server = createTtrpcServer({ services: new Map(), log: getLogger(["peerctl", "test"]) });
    const path = join(dir, "h.sock");
    const listener = await listenUnix({ path, onConnection: (socket) => server.serve(socket) });
    const result = await runPeerctl(["caa", "status", "-socket", path]);
    server.close();
    await listener.close();
    assert.equal(result.code, 1);
    assert.match(result.stderr, /error: Cannot ask caa on ".*": who answers there is no caa of this kind/);
  });
});

Deno.test("caa status shows sandboxes, pending deletions, orphans and warnings", async () => {
  await withService(busy, async (socket) => {
    for (const format of [[], ["--output", "table"]]) {
      const { code, stdout, stderr } = await runPeerctl(["caa", "status", "-socket", socket, ...format]);
      assert.equal(code, 0);
      assert.deepEqual(stdout.split("\n"), [
        "SANDBOX  POD       STATE   AGE    IN STATE  INSTANCE  RELAY  LAST ERROR",
        "sb1      shop/web  failed  1m30s  5s        i-1              the relay is gone for good",
        "",
        "TO BE DELETED  OF SANDBOX  ATTEMPTS  NEXT TRY  LAST ERROR",
        "i-0            sb0         4         in 16s    cloud is down",
        "",
        "WITHOUT OWNER  MADE FOR SANDBOX  SEEN FOR  DELETED",
        "i-7            old               1m        in 9m",
        "",
      ]);
      assert.equal(stderr, "peerctl caa status: warning: relay 0 is of build x\n");
    }
    const { stdout } = await runPeerctl(["caa", "status", "-socket", socket, "--output", "json"]);
    const { createdMs: _created, changedMs: _changed, ...sandbox } = busy.sandboxes[0]!;
    assert.deepEqual(JSON.parse(stdout), {
      build: "1.2.3+abc",
      provider: "fake",
      sandboxes: [{ ...sandbox, ageMs: 90_000, inStateMs: 5_000 }],
      deletions: [{ instance: "i-0", sandbox: "sb0", attempts: 4, nextTryInMs: 16_000, lastError: "cloud is down" }],
      orphans: [{ instance: "i-7", sandbox: "old", seenForMs: 60_000, deletedInMs: 540_000 }],
      warnings: busy.warnings,
    });
  });
});

Deno.test("caa forget gives up what is left of a sandbox, and says when there is nothing", async () => {
  await withService(busy, async (socket, forgotten) => {
    const done = await runPeerctl(["caa", "forget", "sb0", "--socket", socket]);
    assert.deepEqual(done, { code: 0, stdout: "gave up 2 instances of sandbox sb0\n", stderr: "" });
    const json = await runPeerctl(["caa", "forget", "--socket", socket, "--output=json", "sb0"]);
    assert.deepEqual(JSON.parse(json.stdout), { sandbox: "sb0", forgotten: 2 });
    const none = await runPeerctl(["caa", "forget", "sb9", "-socket", socket]);
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /Cannot forget sandbox "sb9": nothing of it is left to be deleted/);
    const wrong = await runPeerctl(["caa", "forget", "../x", "-socket", socket]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /sandbox id/);
    assert.deepEqual(forgotten, ["sb0", "sb0", "sb9"]);
    assert.equal((await runPeerctl(["caa", "forget", "-socket", socket])).code, 2);
  });
});

Deno.test("caa status asks the caa that runs", async () => {
  await withCaaDir(async (dir) => {
    await using caa = await startCaa(dir);
    const status = async () => {
      const { code, stdout } = await runPeerctl(["caa", "status", "-socket", join(dir, "h.sock"), "--output", "json"]);
      assert.equal(code, 0);
      return JSON.parse(stdout);
    };
    const empty = await runPeerctl(["caa", "status", "-socket", join(dir, "h.sock")]);
    assert.deepEqual(empty, { code: 0, stdout: "no sandboxes\n", stderr: "" });
    await withHypervisor(dir, async (vm) => {
      await vm.createVM({ id: "sb1", annotations: podAnnotations("web") });
      assert.equal((await status()).sandboxes[0].state, "created");
      await vm.startVM({ id: "sb1" });
      const { provider, sandboxes: [sandbox] } = await status();
      assert.deepEqual([provider, sandbox.id, sandbox.pod, sandbox.namespace], ["process", "sb1", "web", "default"]);
      assert.deepEqual([sandbox.state, sandbox.relay, sandbox.lastError], ["running", "0", ""]);
      assert.ok(sandbox.ageMs >= sandbox.inStateMs && sandbox.inStateMs >= 0);
      assert.notEqual(sandbox.instance, "");
      await vm.stopVM({ id: "sb1" });
      assert.deepEqual((await status()).sandboxes, []);
    });
    assert.equal(await caa.stop(), 0);
  });
});
