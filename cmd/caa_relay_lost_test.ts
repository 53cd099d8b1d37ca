// SPDX-License-Identifier: Apache-2.0
/** What caa does when a relay is killed: its pods' connections are gone, everything else goes on. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { connectRelay } from "../lib/agent/relay_client.ts";
import { listSlots } from "../lib/agent/relay_slot.ts";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { denoDir } from "../lib/testing/built_peerctl.ts";
import { podAnnotations, SERVING, startCaa, withCaaDir, withHypervisor } from "../lib/testing/caa_process.ts";
import type { PeerctlProcess } from "../lib/testing/peerctl.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";
import { Code } from "../lib/ttrpc/status.ts";

/** How often caa places a sandbox whose relay goes away while the agent path opens. */
const ATTEMPTS = 3;

const ROOT = new URL("..", import.meta.url).pathname;
const SCRIPT = `${ROOT}lib/testing/late_agent.ts`;
/** With a module cache of its own: peerctl in one file gives its children a cache that has only peerctl. */
const LATE_AGENT = [
  ...["env", `DENO_DIR=${await denoDir()}`],
  ...[Deno.execPath(), "run", "--quiet", "-A", "--cached-only", "--config", `${ROOT}deno.json`, SCRIPT],
];

Deno.test("caa marks pods of a killed relay failed, says so everywhere, and serves the same and other pods on", async () => {
  await withCaaDir(async (dir) => {
    await using caa = await startCaa(dir);
    const agentSocket = join(dir, "pods/sb1/agent.ttrpc");
    await withHypervisor(dir, async (vm) => {
      await vm.createVM({ id: "sb1", annotations: podAnnotations("web") });
      await vm.startVM({ id: "sb1" });
      const agent = createTtrpcClient(await dialUnix(agentSocket));
      await agent.call("grpc.Health", "Check", new Uint8Array());
      const [pid] = await relayPids(dir);
      Deno.kill(pid!, "SIGKILL");
      await agent.closed;
      const line = JSON.parse(await caa.waitForLine(/"message":"Sandbox lost its agent path"/));
      assert.deepEqual([line.level, line.sandbox, line.pod, line.namespace], ["error", "sb1", "web", "default"]);
      await assert.rejects(Deno.lstat(agentSocket), Deno.errors.NotFound);
      const ready = await readyDetails(caa);
      assert.deepEqual([ready.sandboxes, ready.deletions], [{ failed: 1 }, []]);

      assert.equal((await vm.createVM({ id: "sb1", annotations: podAnnotations("web") })).agentSocketPath, agentSocket);
      await assert.rejects(vm.startVM({ id: "sb1" }), {
        code: Code.failedPrecondition,
        message: /the sandbox is failed: the relay that carried its agent path is gone.*delete the pod/s,
      });
      await vm.createVM({ id: "sb2", annotations: podAnnotations("db") });
      await vm.startVM({ id: "sb2" });
      const again = createTtrpcClient(await dialUnix(join(dir, "pods/sb2/agent.ttrpc")));
      await again.call("grpc.Health", "Check", new Uint8Array());
      again.close();
      await again.closed;
      assert.equal([...Deno.readDirSync(join(dir, "pods/.process"))].length, 2);
      await vm.stopVM({ id: "sb1" });
      await vm.stopVM({ id: "sb2" });
    });
    assert.deepEqual([...Deno.readDirSync(join(dir, "pods/.process"))], []);
    assert.equal(await caa.stop(), 0);
  });
});

Deno.test("caa opens the agent path on a new relay when the one that opens it is killed", async () => {
  await withStarting(async ({ dir, vm, nextRelay, started, letAgentAnswer }) => {
    const first = await nextRelay(0);
    Deno.kill(first, "SIGKILL");
    await nextRelay(first);
    await letAgentAnswer();
    await started;
    assert.equal([...Deno.readDirSync(join(dir, "pods/.process"))].length, 1);
    const agent = createTtrpcClient(await dialUnix(join(dir, "pods/sb1/agent.ttrpc")));
    await agent.call("grpc.Health", "Check", new Uint8Array());
    agent.close();
    await agent.closed;
    await vm.stopVM({ id: "sb1" });
  });
});

Deno.test("caa fails StartVM and takes the VM back when relay after relay is killed", async () => {
  await withStarting(async ({ dir, vm, caa, nextRelay, started }) => {
    const failed = assert.rejects(started, { message: /closed/ });
    for (let attempt = 0, last = 0; attempt < ATTEMPTS; attempt++) {
      last = await nextRelay(last);
      Deno.kill(last, "SIGKILL");
    }
    await failed;
    assert.deepEqual([...Deno.readDirSync(join(dir, "pods/.process"))], []);
    assert.deepEqual((await readyDetails(caa)).sandboxes, { created: 1 });
    await vm.stopVM({ id: "sb1" });
    assert.deepEqual((await readyDetails(caa)).sandboxes, {});
  });
});

interface Starting {
  readonly dir: string;
  readonly caa: PeerctlProcess;
  readonly vm: Parameters<Parameters<typeof withHypervisor>[1]>[0];
  /** Process id of the relay that opens the path, once it is another one than `last`. */
  nextRelay(last: number): Promise<number>;
  readonly started: Promise<unknown>;
  /** Lets StartVM go on. */
  letAgentAnswer(): Promise<void>;
}

/** A caa with a pod whose StartVM waits for an agent that does not answer yet. */
async function withStarting(body: (starting: Starting) => Promise<void>): Promise<void> {
  await withCaaDir(async (dir) => {
    const gate = join(dir, "gate");
    await using caa = await startCaa(dir, {
      flags: ["-agent-command", `${LATE_AGENT.join(" ")} {socket} {dir} ${gate}`],
    });
    await withHypervisor(dir, async (vm) => {
      await vm.createVM({ id: "sb1", annotations: podAnnotations("web") });
      const started = vm.startVM({ id: "sb1" });
      started.catch(() => {});
      const letAgentAnswer = () => Deno.writeTextFile(gate, "");
      await body({ dir, caa, vm, started, letAgentAnswer, nextRelay: (last) => openingRelay(dir, last) });
    });
    assert.equal(await caa.stop(), 0);
  });
}

async function readyDetails(caa: PeerctlProcess) {
  const { probe_port: port } = JSON.parse(await caa.waitForLine(SERVING));
  return (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()).details;
}

/** The process ids of the relays that answer, with how many sandboxes each has. */
async function relays(dir: string): Promise<{ pid: number; sandboxes: number }[]> {
  const found: { pid: number; sandboxes: number }[] = [];
  for (const slot of await listSlots(join(dir, "relay"))) {
    const relay = await connectRelay({ dir: join(dir, "relay"), slot, build: "test" });
    if (relay === undefined) continue;
    found.push({ pid: Number(relay.hello.pid), sandboxes: relay.hello.sandboxes });
    relay.disconnect();
    await relay.closed;
  }
  return found;
}

async function relayPids(dir: string): Promise<number[]> {
  return (await relays(dir)).map(({ pid }) => pid);
}

/** A relay that logs to its file tells nobody that it has begun to open a path, so it is asked. */
async function openingRelay(dir: string, last: number): Promise<number> {
  for (let left = 1000; left > 0; left--) {
    const relay = (await relays(dir)).find(({ pid, sandboxes }) => pid !== last && sandboxes > 0);
    if (relay !== undefined) return relay.pid;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("No other relay began to open the path");
}
