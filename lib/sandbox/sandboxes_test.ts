// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";
import { createFakeProvider, type FakeProvider } from "../testing/fake_provider.ts";
import { createFakeRelays, type FakeRelays } from "../testing/fake_relays.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import { createDisabledTls } from "./agent_tls.ts";
import { createSandboxes, type Sandboxes } from "./sandboxes.ts";

const never = new AbortController().signal;
const annotations = {
  "io.kubernetes.cri.sandbox-name": "web",
  "io.kubernetes.cri.sandbox-namespace": "default",
};
const sb1 = { id: "sb1", annotations, networkNamespacePath: "/run/netns/n1" };

interface Fixture {
  readonly sandboxes: Sandboxes;
  readonly provider: FakeProvider;
  readonly relays: FakeRelays;
  readonly podsDir: string;
}

async function withSandboxes(run: (fixture: Fixture) => Promise<void>): Promise<void> {
  const podsDir = await Deno.makeTempDir({ prefix: "sbx-" });
  try {
    const provider = createFakeProvider();
    const relays = createFakeRelays();
    const sandboxes = createSandboxes({
      podsDir,
      provider,
      relays,
      agentTls: createDisabledTls(),
      composeUserData: (pod) => `user data of ${pod.podName}`,
      forwarderPort: 15150,
      proxyTimeoutMs: 1000,
      log: getLogger(["test"]),
    });
    await run({ sandboxes, provider, relays, podsDir });
  } finally {
    await Deno.remove(podsDir, { recursive: true });
  }
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
  assert.deepEqual([...Deno.readDirSync(podsDir)], []);
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
  assert.deepEqual(provider.userData, ["user data of web"]);
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

test("start() deletes the instance when the agent path does not open", async ({ sandboxes, provider, relays }) => {
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

test("stop() ends a sandbox that is still starting", async ({ sandboxes, provider, podsDir }) => {
  await sandboxes.create(sb1);
  const held = provider.holdCreate();
  const started = sandboxes.start("sb1", never);
  const failed = assert.rejects(started, { kind: "closed", message: /stopped meanwhile/ });
  await held.waiting;
  await sandboxes.stop("sb1");
  await failed;
  assert.equal(provider.instances.size, 0);
  assert.deepEqual([...Deno.readDirSync(podsDir)], []);
});

test("stop() works twice, at once, and for unknown ids", async ({ sandboxes, provider }) => {
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  await Promise.all([sandboxes.stop("sb1"), sandboxes.stop("sb1")]);
  await sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
  await assert.rejects(sandboxes.stop("../x"), { kind: "config" });
});

test("stop() finds the instance of a sandbox that an earlier process started", async ({ sandboxes, provider }) => {
  const request = { podName: "p", podNamespace: "n", instanceName: "podvm-p", userData: "", idempotencyKey: "k" };
  const spec = { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" };
  await provider.create({ ...request, spec, sandboxId: "old" }, never);
  await sandboxes.stop("old");
  assert.equal(provider.instances.size, 0);
});

test("stop() keeps a sandbox whose instance cannot be deleted and ends it next time", async ({ sandboxes, provider }) => {
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  provider.failNextDelete(new PeerctlError("peer", "cloud is down"));
  await assert.rejects(sandboxes.stop("sb1"), { message: "cloud is down" });
  assert.equal(sandboxes.list()[0]?.state, "failed");
  await sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
  assert.deepEqual(sandboxes.list(), []);
});

test("recover() learns running sandboxes from the relays and can stop them", async (fixture) => {
  const { sandboxes, provider, relays } = fixture;
  const request = {
    podName: "web",
    podNamespace: "default",
    instanceName: "podvm-web",
    userData: "",
    idempotencyKey: "k",
  };
  const spec = { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" };
  const { id: instance } = await provider.create({ ...request, spec, sandboxId: "sb1" }, never);
  const labels = { pod: "web", namespace: "default", netns: "/run/netns/n1", provider: "fake", instance };
  relays.carry("sb1", "/pods/sb1/agent.ttrpc", labels);
  await sandboxes.recover();
  assert.equal(await sandboxes.create(sb1), "/pods/sb1/agent.ttrpc");
  await sandboxes.start("sb1", never);
  assert.equal(provider.instances.size, 1);
  assert.equal(await sandboxes.instanceOf({ name: "web", namespace: "default", wait: false }, never), instance);
  await sandboxes.stop("sb1");
  assert.deepEqual(relays.closed, ["sb1"]);
  assert.equal(provider.instances.size, 0);
});

test("instanceOf() waits for the pod's VM, and leaves when its caller does", async ({ sandboxes }) => {
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

test("relayLost() marks the sandbox failed; it can still be stopped", async ({ sandboxes, provider }) => {
  await sandboxes.create(sb1);
  await sandboxes.start("sb1", never);
  sandboxes.relayLost(["sb1", "unknown"]);
  assert.equal(sandboxes.list()[0]?.state, "failed");
  await assert.rejects(sandboxes.start("sb1", never), { kind: "state" });
  await sandboxes.stop("sb1");
  assert.equal(provider.instances.size, 0);
});
