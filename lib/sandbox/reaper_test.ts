// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { createFakeClock } from "../testing/fake_clock.ts";
import { createFakeProvider } from "../testing/fake_provider.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { openJournal } from "./journal.ts";
import { createOrphanSweeper } from "./orphans.ts";
import { createReaper } from "./reaper.ts";
import { createSandboxStore } from "./store.ts";

const log = getLogger(["peerctl", "test"]);
const never = new AbortController().signal;
const request = {
  podName: "web",
  podNamespace: "default",
  instanceName: "podvm-web",
  userData: "",
  idempotencyKey: "k",
  spec: { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" },
};
const HOUR_MS = 3_600_000;

async function withReaper(
  run: (parts: ReturnType<typeof assemble> extends Promise<infer P> ? P : never) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const parts = await assemble(dir);
    try {
      await run(parts);
    } finally {
      parts.journal[Symbol.dispose]();
    }
  });
}

async function assemble(dir: string) {
  const provider = createFakeProvider();
  const clock = createFakeClock();
  const journal = await openJournal(join(dir, "journal"));
  const store = createSandboxStore({ journal, clock });
  const common = { provider, journal, store, clock, log };
  const makeReaper = () => createReaper({ ...common, ownerOf: store.ownerOf, attemptMs: 60_000 });
  const makeSweeper = (reaper: ReturnType<typeof makeReaper>) =>
    createOrphanSweeper({ ...common, reaper, graceMs: HOUR_MS });
  return { provider, clock, journal, store, makeReaper, makeSweeper };
}

Deno.test("retryDue() tries again with growing pauses until the instance is gone", async () => {
  await withReaper(async ({ provider, clock, journal, makeReaper }) => {
    const { id } = await provider.create({ ...request, sandboxId: "sb1" }, never);
    const reaper = makeReaper();
    provider.failNextDelete(new Error("down"));
    await reaper.reap({ sandboxId: "sb1", instanceId: id, mayExistSinceMs: 0 });
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const [row] = reaper.pending();
      pauses.push((row?.nextMs ?? 0) - clock.now());
      await clock.advance(pauses.at(-1) ?? 0);
      provider.failNextDelete(new Error("still down"));
      await reaper.retryDue(never);
    }
    assert.deepEqual(pauses, [2_000, 4_000, 8_000]);
    assert.deepEqual(journal.deletions().map(({ attempts, lastError }) => [attempts, lastError]), [[4, "still down"]]);
    await clock.advance(HOUR_MS);
    provider.failNextDelete(new Error("down"));
    await provider.delete("none", never).catch(() => {});
    await makeReaper().retryDue(never);
    assert.deepEqual([provider.instances.size, journal.deletions()], [0, []]);
  });
});

Deno.test("retryDue() keeps what was noted anew for the same sandbox while it tried", async () => {
  await withReaper(async ({ provider, clock, journal, store }) => {
    const down = () => Promise.reject(new Error("down"));
    let find: typeof provider.find = down;
    const asked: typeof provider = { ...provider, find: (...call) => find(...call) };
    const reaper = createReaper({ provider: asked, journal, clock, log, ownerOf: store.ownerOf, attemptMs: 60_000 });
    const doomed = { sandboxId: "sb1", instanceId: "", mayExistSinceMs: 0 };
    await reaper.reap(doomed);
    await clock.advance(2_000);
    const answer = Promise.withResolvers<[]>();
    find = () => answer.promise;
    const retried = reaper.retryDue(never);
    await provider.create({ ...request, sandboxId: "sb1" }, never);
    find = down;
    await reaper.reap(doomed);
    answer.resolve([]);
    await retried;
    assert.deepEqual([reaper.pending().length, journal.deletions().length], [1, 1]);
    find = provider.find;
    await clock.advance(2_000);
    await reaper.retryDue(never);
    assert.deepEqual([provider.instances.size, journal.deletions()], [0, []]);
  });
});

Deno.test("forget() leaves the instance alone for good, and is forgotten when the instance is gone", async () => {
  await withReaper(async ({ provider, clock, journal, makeReaper, makeSweeper }) => {
    const { id } = await provider.create({ ...request, sandboxId: "sb1" }, never);
    const first = makeReaper();
    provider.failNextDelete(new Error("down"));
    await first.reap({ sandboxId: "sb1", instanceId: id, mayExistSinceMs: 0 });
    assert.equal(first.forget("sb1"), 1);
    assert.equal(first.forget("sb1"), 0);

    const reaper = makeReaper();
    const sweeper = makeSweeper(reaper);
    for (let hour = 0; hour < 3; hour++) {
      await sweeper.sweep(never);
      await reaper.retryDue(never);
      await clock.advance(HOUR_MS);
    }
    assert.equal(provider.instances.size, 1);
    assert.deepEqual([reaper.pending(), sweeper.waiting], [[], []]);
    await provider.delete(id, never);
    await sweeper.sweep(never);
    assert.deepEqual(journal.deletions(), []);
  });
});

Deno.test("sweep() deletes an instance without an owner after the grace period, and no other", async () => {
  await withReaper(async ({ provider, clock, store, makeReaper, makeSweeper }) => {
    const { id: owned } = await provider.create({ ...request, sandboxId: "sb1" }, never);
    await provider.create({ ...request, sandboxId: "sb2" }, never);
    store.add({
      id: "sb1",
      podName: "web",
      podNamespace: "default",
      networkNamespacePath: "",
      agentSocket: "",
      spec: "{}",
      state: "running",
      provider: "fake",
      idempotencyKey: "",
      instanceId: owned,
      lastError: "",
    });
    const sweeper = makeSweeper(makeReaper());
    await sweeper.sweep(never);
    assert.deepEqual(sweeper.waiting.map(({ sandboxId }) => sandboxId), ["sb2"]);
    await clock.advance(HOUR_MS - 1);
    await sweeper.sweep(never);
    assert.equal(provider.instances.size, 2);
    await clock.advance(1);
    await sweeper.sweep(never);
    assert.deepEqual([...provider.instances.keys()], [owned]);
  });
});
