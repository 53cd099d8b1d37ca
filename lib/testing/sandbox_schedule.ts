// SPDX-License-Identifier: Apache-2.0
/** Plays a schedule of pods, crashes and faults against the life cycle, and checks that nothing is lost or leaked. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createFakeClock, type FakeClock } from "./fake_clock.ts";
import type { RelayPool } from "../agent/relay_pool.ts";
import { createFakeRelays, type FakeRelays } from "./fake_relays.ts";
import { createFaultyCloud, type Fault } from "./faulty_cloud.ts";
import { type SandboxNode, startSandboxNode } from "./sandbox_node.ts";
import { withTempDir } from "./temp_dir.ts";

/** Few pods, so that steps meet each other. */
const PODS = 3;

/** Grace period of orphans, in milliseconds; short, so that it matters within a schedule. */
const GRACE_MS = 30_000;

/** How long one attempt to delete may take, in milliseconds. */
const ATTEMPT_MS = 30_000;

/** Enough time, in milliseconds, for every retry and grace period to pass once the cloud works again. */
const LONG_MS = 30 * 60_000;

/** One step of a schedule. */
export type Step =
  | { readonly do: "create" | "start" | "stop" | "give up start"; readonly pod: number }
  | { readonly do: "crash" | "relay dies" | "relay refuses" }
  | { readonly do: "wait"; readonly ms: number };

export interface Schedule {
  readonly steps: readonly Step[];
  /** What happens to the calls of the cloud, in turn. */
  readonly faults: readonly Fault[];
}

/** Random schedules, for fast-check to draw and to shrink. */
export const schedules: fc.Arbitrary<Schedule> = fc.record({
  steps: fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constantFrom("create" as const, "start" as const, "start" as const, "stop" as const),
          pod: fc.nat(PODS - 1),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("give up start" as const), pod: fc.nat(PODS - 1) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("crash" as const, "relay dies" as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("relay refuses" as const) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(60_000) }) },
    ),
    { minLength: 3, maxLength: 40 },
  ),
  faults: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant<Fault>("none") },
      {
        weight: 5,
        arbitrary: fc.constantFrom<Fault>("slow", "error", "lost", "duplicate", "hang", "hang after effect"),
      },
    ),
    { minLength: 1, maxLength: 60 },
  ),
});

/**
 * Plays one schedule. At the end the cloud works again and time passes.
 *
 * @throws {assert.AssertionError} when then an instance is alive that is not a running sandbox's, or a running sandbox
 * has none, or the journal holds what is not there, or a create call was repeated.
 */
export async function playSchedule(schedule: Schedule): Promise<void> {
  await withTempDir(async (podsDir) => {
    const clock = createFakeClock();
    const relays = createFakeRelays();
    let turn = 0;
    const fault = () => schedule.faults[turn++ % schedule.faults.length] ?? "none";
    const cloud = createFaultyCloud({ clock, fault });
    let caa = await startCaa();
    const pods = Array.from({ length: PODS }, (_, pod) => ({ id: `sb${pod}`, giveUp: new AbortController() }));

    async function startCaa() {
      const { provider, cut } = cloud.connect();
      const line = lineTo(relays);
      const node = await startSandboxNode({
        podsDir,
        provider,
        relays: line.relays,
        clock,
        deleteAttemptMs: ATTEMPT_MS,
        orphanGraceMs: GRACE_MS,
      });
      return {
        node,
        /** As kill -9: nothing is written any more, no call is made, no answer comes. */
        kill() {
          cut();
          line.cut();
          node.kill();
          relays.dropOpening();
        },
      };
    }

    async function crash(): Promise<void> {
      caa.kill();
      caa = await startCaa();
    }

    async function take(step: Step): Promise<void> {
      const { sandboxes } = caa.node;
      switch (step.do) {
        case "wait":
          return await clock.advance(step.ms);
        case "crash":
          return await crash();
        case "relay dies":
          return await sandboxes.relayLost(relays.die());
        case "relay refuses":
          return relays.failNextOpen(new Error("the pod VM does not answer"));
      }
      const pod = pods[step.pod];
      assert.ok(pod);
      const { id } = pod;
      // What a call answers is not judged here, only what is left in the end.
      const ignore = () => {};
      if (step.do === "create") {
        sandboxes.create({ id, annotations: annotationsOf(id), networkNamespacePath: "" }).catch(ignore);
      }
      if (step.do === "stop") sandboxes.stop(id).catch(ignore);
      if (step.do === "give up start") pod.giveUp.abort(new DOMException("deadline", "TimeoutError"));
      if (step.do === "start") {
        pod.giveUp = new AbortController();
        sandboxes.start(id, pod.giveUp.signal).catch(ignore);
      }
      await clock.advance(0);
    }

    try {
      for (const step of schedule.steps) await take(step);
      cloud.heal();
      await clock.advance(LONG_MS);
      await stopWhatDoesNotRun(caa.node, clock);
      await clock.advance(LONG_MS);
      const running = caa.node.store.all().map(({ row }) => row);
      assert.deepEqual(running.map(({ state }) => state), running.map(() => "running"));
      assert.deepEqual(cloud.alive().map(({ id }) => id).sort(), running.map((row) => row.instanceId).sort());
      assert.deepEqual(caa.node.journal.sandboxes().map(({ id }) => id).sort(), running.map(({ id }) => id).sort());
      assert.deepEqual(caa.node.journal.deletions(), []);
      for (const [key, calls] of cloud.createCalls) {
        assert.equal(calls, 1, `create was called ${calls} times under ${key}`);
      }
    } finally {
      caa.kill();
    }
  });
}

/** One process's way to the relays. */
function lineTo(relays: FakeRelays): { readonly relays: RelayPool; cut(): void } {
  let isCut = false;
  const never = new Promise<never>(() => {});
  const call = async <T>(make: () => Promise<T>): Promise<T> => {
    if (isCut) return await never;
    const answer = await make();
    return isCut ? await never : answer;
  };
  return {
    cut: () => isCut = true,
    relays: {
      open: (sandbox, signal) => call(() => relays.open(sandbox, signal)),
      close: (id) => call(() => relays.close(id)),
      update: (credentials, select) => call(() => relays.update(credentials, select)),
      list: () => call(() => relays.list()),
      slotOf: (id) => relays.slotOf(id),
      warnings: () => [],
      isBlind: () => relays.isBlind(),
      stop: () => Promise.resolve(),
    },
  };
}

async function stopWhatDoesNotRun(node: SandboxNode, clock: FakeClock): Promise<void> {
  const stops = node.store.all().filter(({ row }) => row.state !== "running").map(({ row }) =>
    node.sandboxes.stop(row.id)
  );
  await clock.advance(LONG_MS);
  await Promise.all(stops);
}

function annotationsOf(id: string): Record<string, string> {
  return { "io.kubernetes.cri.sandbox-name": id, "io.kubernetes.cri.sandbox-namespace": "default" };
}
