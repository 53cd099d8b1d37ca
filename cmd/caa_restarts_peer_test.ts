// SPDX-License-Identifier: Apache-2.0
/** A pod of the Go shim under traffic, while caa is killed and stopped and started again. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assertOk, CHECK_INTERVAL_MS } from "../lib/testing/agent_sequence.ts";
import { type CaaNode, POD_ANNOTATIONS, withCaaNode } from "../lib/testing/caa_node.ts";
import { type GoShim, startGoShim } from "../lib/testing/go_shim.ts";
import { layOutBuild } from "../lib/testing/other_build.ts";
import { requirePeer } from "../lib/testing/peers.ts";
import { listProcesses } from "../lib/testing/processes.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

const RESTARTS = 20, RESTARTS_AFTER_UPGRADE = 5;

/** After every so many restarts another pod is started and stopped, over the same relay. */
const OTHER_POD_EVERY = 5;

/** Checks that must succeed while there is no caa, and again once there is one. */
const CHECKS = 3;

/** What goes through the container's stdin at a time, in bytes: more than one frame of the shim's. */
const ECHO_BYTES = 48 * 1024;

/** A relay without sandboxes ends within 3,000 ms; the rest is for a busy machine. */
const RELAY_END_MS = 10_000;

const ID = "0a1b2c3d4e5f", CONTAINER = "c1", EXIT_CODE = 7;

Deno.test({
  name: `caa may be restarted ${RESTARTS} times under traffic: the shim's one connection and its parked calls go on`,
  ...requirePeer("go"),
  fn: () => withCaaNode(() => [], (node) => outlive(node, RESTARTS)),
});

Deno.test({
  name: "caa may be upgraded under traffic and restarted afterwards: the older build's relay carries the pod on",
  ...requirePeer("go"),
  fn: () =>
    withTempDir(async (program) => {
      const mainFile = await layOutBuild(program, "0.0.1");
      await withCaaNode(() => [], (node) => outlive(node, RESTARTS_AFTER_UPGRADE), { mainFile });
    }),
});

async function outlive(node: CaaNode, restarts: number): Promise<void> {
  const shim = await startGoShim({ socket: node.socket });
  try {
    await runPod(node, shim, restarts);
  } finally {
    await shim.stop();
  }
}

async function runPod(node: CaaNode, shim: GoShim, restarts: number): Promise<void> {
  const { agentSocketPath } = assertOk(await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS }));
  assertOk(await shim.startVM(ID));
  assertOk(await shim.connect(agentSocketPath));
  assertOk(await shim.createContainer({ id: CONTAINER, args: ["/bin/sh", "-c", `cat; exit ${EXIT_CODE}`] }));
  assertOk(await shim.startContainer(CONTAINER));
  const waiting = shim.waitProcess(CONTAINER);
  assertOk(await shim.startChecks(CHECK_INTERVAL_MS));
  const relays = relaysOf(node);
  assert.equal(relays.length, 1);

  const traffic = startTraffic(shim);
  for (let restart = 1; restart <= restarts; restart++) {
    if (restart % 2 === 0) await node.caa.kill();
    else assert.equal(await node.caa.stop(), 0);
    await moreChecks(shim);
    await traffic.more();
    await node.restart();
    await moreChecks(shim);
    await traffic.more();
    if (restart % OTHER_POD_EVERY === 0) await runOtherPod(shim, `other-${restart}`);
  }
  await traffic.stop();
  // One of another build may have come for the other pods.
  assert.ok(relaysOf(node).includes(relays[0]!));

  assertOk(await shim.closeStdin(CONTAINER));
  assert.deepEqual(assertOk(await waiting), { status: EXIT_CODE });
  assert.equal((await shim.stats()).checksFailed, 0);
  assertOk(await shim.stopVM(ID));
  await shim.agentClosed();
  assert.deepEqual(await node.instances(), []);
  await node.relayEnded(RELAY_END_MS);
}

async function moreChecks(shim: GoShim): Promise<void> {
  await shim.checked((await shim.stats()).checksOk + CHECKS);
}

async function runOtherPod(shim: GoShim, id: string): Promise<void> {
  const annotations = { ...POD_ANNOTATIONS, "io.kubernetes.cri.sandbox-name": id };
  assertOk(await shim.createVM({ id, annotations }));
  assertOk(await shim.startVM(id));
  assertOk(await shim.stopVM(id));
}

/** Pids of the node's relays. */
function relaysOf(node: CaaNode): number[] {
  const word = ` relay -dir ${join(node.dir, "relay")} `;
  return listProcesses().filter(({ commandLine }) => commandLine.includes(word)).map(({ pid }) => pid);
}

interface Traffic {
  /** Resolves when each kind of traffic has gone round once more from now; rejects when one has failed. */
  more(): Promise<void>;
  stop(): Promise<void>;
}

/** Echoes through stdin and runs processes, both at the same time and over and over. */
function startTraffic(shim: GoShim): Traffic {
  let isOver = false, execs = 0;
  const sent = crypto.getRandomValues(new Uint8Array(ECHO_BYTES));

  async function echo(): Promise<void> {
    const [, received] = await Promise.all([write(sent), read(sent.length)]);
    assert.deepEqual(received, sent);
  }
  async function write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length;) {
      at += assertOk(await shim.writeStdin(CONTAINER, data.subarray(at, at + (32 << 10)))).len;
    }
  }
  async function read(bytes: number): Promise<Uint8Array> {
    const all = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const data: Uint8Array = assertOk(await shim.readStdout(CONTAINER));
      assert.ok(data.length > 0 && at + data.length <= bytes);
      all.set(data, at);
      at += data.length;
    }
    return all;
  }
  async function exec(): Promise<void> {
    const execId = `e${++execs}`;
    assertOk(await shim.exec(CONTAINER, execId, ["/bin/sh", "-c", `echo ${execId}`]));
    const said = assertOk(await shim.readStdout(CONTAINER, { execId }));
    assert.equal(new TextDecoder().decode(said), `${execId}\n`);
    assertOk(await shim.waitProcess(CONTAINER, { execId }));
  }

  const kinds = [echo, exec].map((once) => {
    const waiters = new Set<() => void>();
    const running = (async () => {
      while (!isOver) {
        const before = [...waiters];
        await once();
        for (const wake of before) (waiters.delete(wake), wake());
      }
    })();
    running.catch(() => {}); // told by more() and stop()
    const round = () => Promise.race([new Promise<void>((resolve) => waiters.add(resolve)), running]);
    return { running, round };
  });
  return {
    more: async () => void await Promise.all(kinds.map(({ round }) => round())),
    async stop() {
      isOver = true;
      await Promise.all(kinds.map(({ running }) => running));
    },
  };
}
