// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { createFakeClock, type FakeClock } from "../testing/fake_clock.ts";
import { createFaultyCloud, type Fault } from "../testing/faulty_cloud.ts";
import { createFakeProvider, type FakeProvider } from "../testing/fake_provider.ts";
import { createFakeRelays, type FakeRelays } from "../testing/fake_relays.ts";
import { type SandboxNode, startSandboxNode } from "../testing/sandbox_node.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { Code, RpcError } from "../ttrpc/status.ts";

const never = new AbortController().signal;
const annotations = {
  "io.kubernetes.cri.sandbox-name": "web",
  "io.kubernetes.cri.sandbox-namespace": "default",
};
const sb1 = { id: "sb1", annotations, networkNamespacePath: "/run/netns/n1" };

interface Fixture extends SandboxNode {
  readonly provider: FakeProvider;
  readonly relays: FakeRelays;
  readonly podsDir: string;
  readonly clock: FakeClock;
  /** Ends this node as kill -9 would, and starts another on the same folder, provider and relays. */
  restart(): Promise<SandboxNode>;
}

async function withSandboxes(run: (fixture: Fixture) => Promise<void>): Promise<void> {
  await withTempDir(async (podsDir) => {
    const provider = createFakeProvider();
    const relays = createFakeRelays();
    const clock = createFakeClock();
    const start = () => startSandboxNode({ podsDir, provider, relays, clock });
    let node = await start();
    const restart = async () => {
      node.kill();
      return node = await start();
    };
    try {
      await run({ ...node, provider, relays, podsDir, clock, restart });
    } finally {
      node.kill();
    }
  });
}

/** Names of what lies in the pods directory, without what caa keeps for itself. */
function foldersIn(podsDir: string): string[] {
  return [...Deno.readDirSync(podsDir)].map(({ name }) => name).filter((name) => !name.startsWith("."));
}

function test(name: string, run: (fixture: Fixture) => Promise<void>): void {
  Deno.test(name, () => withSandboxes(run));
}

test("create() answers the agent path and starts nothing", async ({ sandboxes, provider, podsDir }) => {
  const path = await sandboxes.create(sb1);
  assert.equal(path, join(podsDir, "sb1", "agent.ttrpc"));
  assert.equal((await stat(join(podsDir, "sb1"))).mode & 0o777, 0o700);
  assert.equal(provider.instances.size, 0);
});

test("create() answers the same path for the same pod and refuses another", async ({ sandboxes }) => {
  const path = await sandboxes.create(sb1);
  assert.equal(await sandboxes.create(sb1), path);
  await assert.rejects(sandboxes.create({ ...sb1, networkNamespacePath: "/run/netns/n2" }), {
    code: Code.alreadyExists,
  });
  const other = { ...annotations, "io.kubernetes.cri.sandbox-name": "db" };
  await assert.rejects(sandboxes.create({ ...sb1, annotations: other }), { code: Code.alreadyExists });
});

test("create() refuses empty and path-like ids and leaves no folder", async ({ sandboxes, podsDir }) => {
  for (const id of ["", "../x", "a/b", ".hidden", "x".repeat(200), "a\0b"]) {
    await assert.rejects(sandboxes.create({ ...sb1, id }), { kind: "config" });
  }
  assert.deepEqual(foldersIn(podsDir), []);
});

test("create() refuses a pod without a name or namespace", async ({ sandboxes }) => {
  await assert.rejects(sandboxes.create({ ...sb1, annotations: {} }), { kind: "config", message: /sandbox-name/ });
  const unnamed = { "io.kubernetes.cri.sandbox-name": "web" };
  await assert.rejects(sandboxes.create({ ...sb1, annotations: unnamed }), { message: /sandbox-namespace/ });
});

test("start() refuses a sandbox that was not created", async ({ sandboxes, provider }) => {
  await assert.rejects(sandboxes.start("sb1", never), { code: Code.notFound, message: /CreateVM has to come first/ });
  assert.equal(provider.instances.size, 0);
});

test("start() creates the instance and opens the agent path with its labels", async ({ sandboxes, provider, relays }) => {
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  assert.deepEqual([...provider.instances.values()].map((one) => one.name), ["podvm-web-sb1"]);
  assert.deepEqual(provider.userData, ['user data of web with initdata ""']);
  const [open] = relays.opened;
  assert.equal(open?.host, "127.0.0.1");
  assert.deepEqual(open?.labels, {
    pod: "web",
    namespace: "default",
    netns: "/run/netns/n1",
    provider: "fake",
    instance: "i-1",
    tls: "disabled",
  });
});

test("W5: start() deletes the instance when the agent path does not open", async ({ sandboxes, provider, relays }) => {
  await sandboxes.create(sb1);
  relays.failNextOpen(new RpcError(Code.unauthenticated, "wrong name"));
  await assert.rejects(sandboxes.start("sb1", never), { code: Code.unauthenticated });
  assert.equal(provider.instances.size, 0);
  assert.deepEqual(relays.closed, ["sb1"]);
  await sandboxes.start("sb1", never);
  assert.equal(provider.instances.size, 1);
});

test("start() deletes the instance when the provider gave it no address", async ({ sandboxes, provider }) => {
  provider.addresses = [];
  await sandboxes.create(sb1);
  await assert.rejects(sandboxes.start("sb1", never), { kind: "peer", message: /no address/ });
  assert.equal(provider.instances.size, 0);
});

test("start() ends what it began when its caller's deadline passes", async ({ sandboxes, provider, relays }) => {
  await sandboxes.create(sb1);
  const held = relays.holdOpen();
  const deadline = new AbortController();
  const started = sandboxes.start("sb1", deadline.signal);
  await held.waiting;
  assert.equal(provider.instances.size, 1);
  deadline.abort(new DOMException("deadline", "TimeoutError"));
  await assert.rejects(started, { kind: "timeout" });
  assert.equal(provider.instances.size, 0);
});

test("W9: stop() ends a sandbox that is still starting", async ({ sandboxes, provider, podsDir }) => {
  await sandboxes.create(sb1);
  const held = provider.holdCreate();
  const started = sandboxes.start("sb1", never);
  const failed = assert.rejects(started, { kind: "closed", message: /stopped meanwhile/ });
  await held.waiting;
  await sandboxes.stop("sb1");
  await failed;
  assert.equal(provider.instances.size, 0);
  assert.deepEqual(foldersIn(podsDir), []);
});

test("stop() works twice, at once, and for unknown ids", async ({ sandboxes, provider }) => {
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  await Promise.all([sandboxes.stop("sb1"), sandboxes.stop("sb1")]);
  await sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
  await assert.rejects(sandboxes.stop("../x"), { kind: "config" });
});

test("W4: stop() finds the instance of a sandbox that an earlier process started", async ({ sandboxes, provider }) => {
  const request = { podName: "p", podNamespace: "n", instanceName: "podvm-p", userData: "", idempotencyKey: "k" };
  const spec = { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" };
  await provider.create({ ...request, spec, sandboxId: "old" }, never);
  await sandboxes.stop("old");
  assert.equal(provider.instances.size, 0);
});

test("W8: stop() notes an instance that cannot be deleted, and a restart deletes it", async (fixture) => {
  const { sandboxes, provider, podsDir } = fixture;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  provider.failNextDelete(new PeerctlError("peer", "cloud is down"));
  await sandboxes.stop("sb1");
  assert.equal(fixture.store.all().length, 0);
  assert.deepEqual(foldersIn(podsDir), []);
  assert.equal(provider.instances.size, 1);
  const next = await fixture.restart();
  const [pending] = next.reaper.pending();
  assert.deepEqual([pending?.instanceId, pending?.attempts, pending?.lastError], ["i-1", 1, "cloud is down"]);
  await next.reaper.retryDue(never);
  assert.equal(provider.instances.size, 1, "it is not due yet");
  await fixture.clock.advance(2_000);
  await next.reaper.retryDue(never);
  assert.equal(provider.instances.size, 0);
  assert.deepEqual([next.reaper.pending(), next.journal.deletions()], [[], []]);
});

test("W1: a restart goes on with running sandboxes and can stop them", async (fixture) => {
  const { sandboxes, provider, relays } = fixture;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  const next = await fixture.restart();
  assert.equal(next.store.get("sb1")?.row.state, "running");
  assert.equal(await next.sandboxes.create(sb1), relays.opened[0]?.agentSocket);
  await next.sandboxes.start("sb1", never);
  assert.equal(provider.instances.size, 1);
  assert.equal(await next.sandboxes.instanceOf({ name: "web", namespace: "default", wait: false }, never), "i-1");
  await next.sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
  assert.deepEqual(next.journal.sandboxes(), []);
});

test("recover() keeps a sandbox that was only created, with its sizes and initdata", async (fixture) => {
  const prefix = "io.katacontainers.config.hypervisor.";
  const sized = { ...annotations, [`${prefix}default_vcpus`]: "4", [`${prefix}cc_init_data`]: "version = 1" };
  await fixture.sandboxes.create({ ...sb1, annotations: sized });
  const next = await fixture.restart();
  await next.sandboxes.start("sb1", never);
  assert.deepEqual(fixture.provider.userData, ['user data of web with initdata "version = 1"']);
  assert.equal(fixture.provider.specs[0]?.vcpus, 4);
});

test("recover() takes a half-started sandbox back, found by its id", async (fixture) => {
  const { sandboxes, provider, relays } = fixture;
  await sandboxes.create(sb1);
  relays.holdOpen();
  const deadline = new AbortController();
  const started = sandboxes.start("sb1", deadline.signal);
  await relays.openReached;
  const next = await fixture.restart();
  await next.store.get("sb1")?.takingBack;
  assert.equal(provider.instances.size, 0);
  assert.equal(next.store.get("sb1")?.row.state, "created");
  deadline.abort();
  await assert.rejects(started);
});

test("recover() deletes the instance of a half-started sandbox also when its relay does not answer", async (fixture) => {
  const { sandboxes, provider, relays } = fixture;
  await sandboxes.create(sb1);
  relays.holdOpen();
  const deadline = new AbortController();
  const started = sandboxes.start("sb1", deadline.signal);
  await relays.openReached;
  const { close } = relays;
  relays.close = () => Promise.reject(new PeerctlError("timeout", "no answer"));
  const next = await fixture.restart();
  await next.store.get("sb1")?.takingBack?.catch(() => {});
  assert.deepEqual([provider.instances.size, next.store.get("sb1")?.row.state], [0, "created"]);
  relays.close = close;
  deadline.abort();
  await assert.rejects(started);
});

test("stop() of a sandbox that is just being taken back does not leave it there", async (fixture) => {
  const { sandboxes, provider, relays, podsDir } = fixture;
  await sandboxes.create(sb1);
  relays.holdOpen();
  const deadline = new AbortController();
  const started = sandboxes.start("sb1", deadline.signal);
  await relays.openReached;
  const held = provider.holdDelete();
  const next = await fixture.restart();
  assert.ok(next.store.get("sb1")?.takingBack);
  const stopped = next.sandboxes.stop("sb1");
  held.release();
  await stopped;
  assert.equal(provider.instances.size, 0);
  assert.deepEqual([next.store.all(), foldersIn(podsDir)], [[], []]);
  deadline.abort();
  await assert.rejects(started);
});

test("recover() finishes a half-stopped sandbox", async (fixture) => {
  const { sandboxes, provider, store, podsDir } = fixture;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  const sandbox = store.get("sb1");
  assert.ok(sandbox);
  store.update(sandbox, { state: "stopping" });
  const next = await fixture.restart();
  await next.sandboxes.settle();
  assert.equal(provider.instances.size, 0);
  assert.deepEqual([next.store.all(), foldersIn(podsDir)], [[], []]);
});

test("recover() ends a stranger of the relay, and believes the relay when there is no journal", async (fixture) => {
  const { provider, relays, podsDir } = fixture;
  const request = { podName: "web", podNamespace: "default", instanceName: "n", userData: "", idempotencyKey: "k" };
  const spec = { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" };
  const { id: instance } = await provider.create({ ...request, spec, sandboxId: "sb1" }, never);
  const labels = { pod: "web", namespace: "default", netns: "/run/netns/n1", provider: "fake", instance };
  relays.carry("sb1", join(podsDir, "sb1/agent.ttrpc"), labels);
  fixture.kill();
  await Deno.remove(join(podsDir, ".journal"), { recursive: true });
  const believing = await fixture.restart();
  assert.equal(believing.store.get("sb1")?.row.state, "running");
  believing.store.remove("sb1");
  const strict = await fixture.restart();
  assert.equal(strict.store.get("sb1"), undefined);
  assert.deepEqual(relays.closed, ["sb1"]);
  assert.equal(provider.instances.size, 0);
});

test("recover() marks a sandbox failed whose relay is gone, and removes its socket", async (fixture) => {
  const { sandboxes, provider, relays, podsDir } = fixture;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  await Deno.writeTextFile(join(podsDir, "sb1/agent.ttrpc"), "");
  relays.die();
  const next = await fixture.restart();
  assert.equal(next.store.get("sb1")?.row.state, "failed");
  assert.deepEqual([...Deno.readDirSync(join(podsDir, "sb1"))], []);
  assert.equal(await next.sandboxes.create(sb1), join(podsDir, "sb1/agent.ttrpc"));
  await next.sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
});

test("W19: instanceOf() waits for the pod's VM, and leaves when its caller does", async ({ sandboxes }) => {
  const pod = { name: "web", namespace: "default" };
  await assert.rejects(sandboxes.instanceOf({ ...pod, wait: false }, never), { code: Code.notFound });
  const waiting = sandboxes.instanceOf({ ...pod, wait: true }, never);
  const leaver = new AbortController();
  const left = assert.rejects(sandboxes.instanceOf({ ...pod, wait: true }, leaver.signal), { kind: "timeout" });
  leaver.abort(new DOMException("deadline", "TimeoutError"));
  await left;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  assert.equal(await waiting, "i-1");
});

test("relayLost() marks the sandbox failed; it can still be stopped", async ({ sandboxes, provider, store }) => {
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  await sandboxes.relayLost(["sb1", "unknown"]);
  assert.equal(store.get("sb1")?.row.state, "failed");
  await assert.rejects(sandboxes.start("sb1", never), { kind: "state" });
  await sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
});

test("W34: relayLost() goes on with the others when one socket cannot be removed", async ({ sandboxes, podsDir, store }) => {
  for (const id of ["sb1", "sb2"]) {
    await sandboxes.create({ ...sb1, id });
    await sandboxes.start(id, never);
  }
  await Deno.mkdir(join(podsDir, "sb1/agent.ttrpc/in-the-way"), { recursive: true });
  await sandboxes.relayLost(["sb1", "sb2"]);
  assert.deepEqual(store.all().map(({ row }) => row.state), ["failed", "failed"]);
});

test("W6: create() that fails leaves no sandbox, folder or journal row", async ({ sandboxes, store, journal, podsDir }) => {
  await Deno.writeTextFile(join(podsDir, "sb1"), "in the way");
  await assert.rejects(sandboxes.create(sb1));
  assert.deepEqual([store.all(), journal.sandboxes()], [[], []]);
  await sandboxes.create(sb1);
});

test("create() makes up for a folder that a killed caa did not come to make", async ({ sandboxes, podsDir, provider, restart }) => {
  const initdata = { ...annotations, "io.katacontainers.config.hypervisor.cc_init_data": "version = 1" };
  await sandboxes.create({ ...sb1, annotations: initdata });
  await Deno.remove(join(podsDir, "sb1"), { recursive: true });
  const { sandboxes: later } = await restart();
  await later.create({ ...sb1, annotations: initdata });
  await later.start("sb1", never);
  assert.deepEqual(provider.userData, ['user data of web with initdata "version = 1"']);
});

test("settle() waits for the stop of a sandbox that nobody knows", async ({ sandboxes, provider }) => {
  const request = {
    sandboxId: "sb1",
    podName: "web",
    podNamespace: "default",
    instanceName: "podvm-web",
    userData: "",
  };
  const spec = { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" };
  await provider.create({ ...request, spec, idempotencyKey: "k" }, never);
  const held = provider.holdDelete();
  let isStopped = false;
  const stopped = sandboxes.stop("sb1").then(() => isStopped = true);
  const settled = sandboxes.settle().then(() => isStopped);
  held.release();
  await stopped;
  assert.equal(await settled, true);
});

test("W7: stop() removes the pod's folder with everything in it", async ({ sandboxes, podsDir }) => {
  const initdata = { ...annotations, "io.katacontainers.config.hypervisor.cc_init_data": "version = 1" };
  await sandboxes.create({ ...sb1, annotations: initdata });
  assert.equal((await stat(join(podsDir, "sb1/initdata"))).mode & 0o777, 0o600);
  await sandboxes.start("sb1", never);
  await Deno.writeTextFile(join(podsDir, "sb1/agent.ttrpc"), "");
  await sandboxes.stop("sb1");
  assert.deepEqual(foldersIn(podsDir), []);
});

test("W11: start() notes its idempotency key before the instance is asked for, a new one each time", async (fixture) => {
  const { sandboxes, provider, journal, relays } = fixture;
  await sandboxes.create(sb1);
  const held = provider.holdCreate();
  const started = sandboxes.start("sb1", never);
  await held.waiting;
  const [row] = journal.sandboxes();
  assert.equal(row?.state, "starting");
  assert.equal(row?.idempotencyKey, provider.keys[0]);
  assert.match(row?.idempotencyKey ?? "", /^[0-9a-f-]{36}$/);
  relays.failNextOpen(new Error("unreachable"));
  held.release();
  await assert.rejects(started);
  await sandboxes.start("sb1", never);
  assert.equal(new Set(provider.keys).size, 2);
});

test("W30: each pod gets its own image and size, whatever pods before it asked for", async ({ sandboxes, provider }) => {
  const image = "io.katacontainers.config.hypervisor.image";
  await sandboxes.create({ ...sb1, annotations: { ...annotations, [image]: "special" } });
  await sandboxes.create({ ...sb1, id: "sb2" });
  await Promise.all([sandboxes.start("sb1", never), sandboxes.start("sb2", never)]);
  assert.deepEqual(provider.specs.map((spec) => spec.image).sort(), ["", "special"]);
});

Deno.test("W33: a provider call that hangs is given up after its time, and tried again later", async () => {
  await withTempDir(async (podsDir) => {
    const clock = createFakeClock();
    const faults: Fault[] = ["none", "hang"];
    const cloud = createFaultyCloud({ clock, fault: (call) => call === "list" ? "none" : faults.shift() ?? "none" });
    const { provider, cut } = cloud.connect();
    const node = await startSandboxNode({ podsDir, provider, relays: createFakeRelays(), clock });
    try {
      await node.sandboxes.create(sb1);
      await node.sandboxes.start("sb1", never);
      const stopped = node.sandboxes.stop("sb1");
      await clock.advance(2 * 60_000);
      await stopped;
      assert.deepEqual([cloud.alive(), node.reaper.pending()], [[], []]);
    } finally {
      cut();
      node.kill();
    }
  });
});

Deno.test("W33: a provider that does not heed that a start is given up is left behind, and what it made goes", async () => {
  await withTempDir(async (podsDir) => {
    const clock = createFakeClock();
    const cloud = createFakeProvider();
    const late = Promise.withResolvers<void>();
    const deaf: typeof cloud = {
      ...cloud,
      async create(request) {
        await late.promise;
        return await cloud.create(request, never);
      },
    };
    const relays = createFakeRelays();
    const node = await startSandboxNode({ podsDir, provider: deaf, relays, clock, orphanGraceMs: 60_000 });
    try {
      await node.sandboxes.create(sb1);
      const caller = new AbortController();
      const started = assert.rejects(node.sandboxes.start("sb1", caller.signal), { kind: "timeout" });
      await clock.advance(0);
      caller.abort(new DOMException("deadline", "TimeoutError"));
      await clock.advance(60_000);
      await started;
      await node.sandboxes.stop("sb1");
      late.resolve();
      await clock.advance(10 * 60_000);
      assert.equal(cloud.instances.size, 0);
    } finally {
      node.kill();
    }
  });
});

test("recover() leaves a running sandbox alone whose relay may be one that does not answer", async (fixture) => {
  const { sandboxes, relays, podsDir } = fixture;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  await Deno.writeTextFile(join(podsDir, "sb1/agent.ttrpc"), "");
  relays.die();
  relays.goBlind();
  const next = await fixture.restart();
  assert.equal(next.store.get("sb1")?.row.state, "running");
  assert.equal([...Deno.readDirSync(join(podsDir, "sb1"))].length, 1);
});

test("recover() does not touch the sandboxes of another provider", async (fixture) => {
  const { sandboxes, provider } = fixture;
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  fixture.kill();
  const other = { ...provider, name: "other" };
  const start = startSandboxNode({ podsDir: fixture.podsDir, provider: other, relays: fixture.relays });
  await assert.rejects(start, { kind: "config", message: /"sb1" was made with provider "fake"/ });
  assert.equal(provider.instances.size, 1);
});
