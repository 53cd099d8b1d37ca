// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";
import { Caa, type StatusResponse } from "../proto/gen/caa_pb.ts";
import { createFakeClock, type FakeClock } from "../testing/fake_clock.ts";
import { createFakeProvider, type FakeProvider } from "../testing/fake_provider.ts";
import { createFakeRelays, type FakeRelays } from "../testing/fake_relays.ts";
import { type SandboxNode, startSandboxNode } from "../testing/sandbox_node.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createTtrpcClient } from "../ttrpc/client.ts";
import { createTtrpcServer } from "../ttrpc/server.ts";
import { Code } from "../ttrpc/status.ts";
import { type TypedClient, typedClient } from "../ttrpc/typed.ts";
import { caaService } from "./caa_service.ts";
import { readStatus, summarize } from "./status.ts";

const never = new AbortController().signal;
const GRACE_MS = 10 * 60_000;

interface Fixture extends SandboxNode {
  readonly provider: FakeProvider;
  readonly relays: FakeRelays;
  readonly clock: FakeClock;
  readonly caa: TypedClient<typeof Caa>;
  /** Creates and starts a sandbox of the pod `default/<id>`. */
  run(id: string): Promise<void>;
  /** What /readyz shows of it. */
  summary(): ReturnType<typeof summarize>;
}

function test(name: string, body: (fixture: Fixture) => Promise<void>): void {
  Deno.test(name, () =>
    withTempDir(async (podsDir) => {
      const provider = createFakeProvider();
      const relays = createFakeRelays();
      const clock = createFakeClock();
      const node = await startSandboxNode({ podsDir, provider, relays, clock, orphanGraceMs: GRACE_MS });
      const status = () => readStatus({ ...node, provider, relays, clock });
      const server = createTtrpcServer({
        services: new Map([caaService({ build: "test", status, reaper: node.reaper })]),
        log: getLogger(["peerctl", "test"]),
      });
      const run = async (id: string) => {
        const annotations = {
          "io.kubernetes.cri.sandbox-name": id,
          "io.kubernetes.cri.sandbox-namespace": "default",
        };
        await node.sandboxes.create({ id, annotations, networkNamespacePath: "" });
        await node.sandboxes.start(id, never);
      };
      try {
        await withSocketPair(async (ours, theirs) => {
          server.serve(theirs);
          const caa = typedClient(Caa, createTtrpcClient(ours));
          await body({ ...node, provider, relays, clock, caa, run, summary: () => summarize(status()) });
        });
      } finally {
        server.close();
        await node.stop();
      }
    }));
}

/** The entries of one list without protobuf's own field. */
function plain<T extends { readonly $typeName: string }>(list: readonly T[]): Omit<T, "$typeName">[] {
  return list.map(({ $typeName: _, ...rest }) => rest);
}

test("Status tells of each sandbox its pod, state, ages, instance, relay and last error", async (fixture) => {
  const { caa, clock, run, relays, sandboxes } = fixture;
  const bornMs = BigInt(clock.now());
  await run("web");
  await clock.advance(5_000);
  relays.die();
  await sandboxes.relayLost(["web"]);
  await clock.advance(1_000);
  const status = await caa.status({});
  assert.deepEqual([status.build, status.provider, status.nowUnixMs - bornMs], ["test", "fake", 6_000n]);
  assert.deepEqual(plain(status.sandboxes), [{
    id: "web",
    pod: "web",
    namespace: "default",
    state: "failed",
    createdUnixMs: bornMs,
    changedUnixMs: bornMs + 5_000n,
    instance: "i-1",
    relay: "",
    lastError: "the relay that carried its agent path is gone",
  }]);
  assert.deepEqual([fixture.summary().sandboxes, fixture.summary().provider], [{ failed: 1 }, "fake"]);
});

test("Status tells since when a sandbox is in its state, whatever else changed of it", async ({ caa, clock, ...it }) => {
  const held = it.provider.holdCreate();
  const started = it.run("web");
  await held.waiting;
  const startingMs = BigInt(clock.now());
  await clock.advance(3_000);
  const path = it.relays.holdOpen();
  held.release();
  await path.waiting;
  const [sandbox] = (await caa.status({})).sandboxes;
  assert.deepEqual([sandbox?.state, sandbox?.instance, sandbox?.changedUnixMs], ["starting", "i-1", startingMs]);
  const failed = assert.rejects(started, { kind: "closed" });
  await it.sandboxes.stop("web");
  await failed;
});

test("W8: Status tells of a deletion that failed, Forget gives it up", async ({ caa, clock, provider, ...it }) => {
  await it.run("web");
  assert.equal((await caa.status({})).sandboxes[0]?.relay, "0");
  provider.failNextDelete(new PeerctlError("peer", `cloud is down ${"x".repeat(1000)}`));
  await it.sandboxes.stop("web");
  const status = await caa.status({});
  assert.deepEqual(status.sandboxes, []);
  const [deletion] = plain(status.deletions);
  assert.match(deletion?.lastError ?? "", /^cloud is down x{286}$/);
  assert.deepEqual({ ...deletion, lastError: "" }, {
    sandbox: "web",
    instance: "i-1",
    attempts: 1,
    lastError: "",
    nextUnixMs: BigInt(clock.now() + 2_000),
  });
  assert.equal(it.summary().deletions[0]?.instance, "i-1");
  assert.equal((await caa.forget({ sandboxId: "other" })).forgotten, 0);
  assert.equal((await caa.forget({ sandboxId: "web" })).forgotten, 1);
  assert.deepEqual((await caa.status({})).deletions, []);
  await assert.rejects(caa.forget({ sandboxId: "" }), { code: Code.invalidArgument });
  await assert.rejects(caa.forget({ sandboxId: "../x" }), { code: Code.invalidArgument });
});

test("Status tells of an instance without an owner until its time has come", async ({ caa, clock, provider }) => {
  const spec = { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" };
  const request = { podName: "p", podNamespace: "n", instanceName: "podvm-p", userData: "", idempotencyKey: "k" };
  await provider.create({ ...request, spec, sandboxId: "gone" }, never);
  await clock.advance(60_000);
  const orphans = async (): Promise<StatusResponse["orphans"]> => (await caa.status({})).orphans;
  const [orphan] = await orphans();
  assert.deepEqual([orphan?.instance, orphan?.sandbox], ["i-1", "gone"]);
  assert.equal(Number(orphan!.deleteUnixMs - orphan!.seenUnixMs), GRACE_MS);
  await clock.advance(GRACE_MS);
  assert.deepEqual([await orphans(), provider.instances.size], [[], 0]);
});
