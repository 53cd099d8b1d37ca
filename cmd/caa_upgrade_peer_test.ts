// SPDX-License-Identifier: Apache-2.0
/** A pod of the Go shim that outlives an upgrade of the worker node to another build. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { connectRelay } from "../lib/agent/relay_client.ts";
import { assertOk, CHECK_INTERVAL_MS } from "../lib/testing/agent_sequence.ts";
import { type CaaNode, POD_ANNOTATIONS, withCaaNode } from "../lib/testing/caa_node.ts";
import { type GoShim, startGoShim } from "../lib/testing/go_shim.ts";
import { layOutBuild, otherBuildName } from "../lib/testing/other_build.ts";
import { requirePeer } from "../lib/testing/peers.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

const OLD = "0.0.1-before";
const ID = "0a1b2c3d4e5f", OTHER = "1b2c3d4e5f6a", CONTAINER = "c1", EXIT_CODE = 7;

/** Checks that must succeed at each step. */
const CHECKS = 3;

/** A relay without sandboxes ends within 3,000 ms; the rest is for a busy machine. */
const RELAY_END_MS = 10_000;

Deno.test({
  name:
    "an upgrade leaves the Go shim's one connection and its parked call alone; new pods get a relay of the new build",
  ...requirePeer("go"),
  fn: () =>
    withTempDir(async (program) => {
      const mainFile = await layOutBuild(program, OLD);
      await withCaaNode(() => [], async (node) => {
        const shim = await startGoShim({ socket: node.socket });
        try {
          await upgrade(node, shim);
        } finally {
          await shim.stop();
        }
      }, { mainFile });
    }),
});

async function upgrade(node: CaaNode, shim: GoShim): Promise<void> {
  const { agentSocketPath } = assertOk(await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS }));
  assertOk(await shim.startVM(ID));
  assertOk(await shim.connect(agentSocketPath));
  assertOk(await shim.createContainer({ id: CONTAINER, args: ["/bin/sh", "-c", `cat; exit ${EXIT_CODE}`] }));
  assertOk(await shim.startContainer(CONTAINER));
  const waiting = shim.waitProcess(CONTAINER);
  assertOk(await shim.startChecks(CHECK_INTERVAL_MS));
  await echo(shim, "before");

  assert.equal(await node.caa.stop(), 0);
  await echo(shim, "between");
  await node.restart();
  await echo(shim, "after");
  assert.deepEqual(await relayIn(node, "0"), { build: otherBuildName(OLD), isDraining: true, sandboxes: 1 });

  const annotations = { ...POD_ANNOTATIONS, "io.kubernetes.cri.sandbox-name": "other" };
  assertOk(await shim.createVM({ id: OTHER, annotations }));
  assertOk(await shim.startVM(OTHER));
  const added = await relayIn(node, "1");
  assert.deepEqual([added?.isDraining, added?.sandboxes], [false, 1]);
  assert.notEqual(added?.build, otherBuildName(OLD));
  assertOk(await shim.stopVM(OTHER));

  assertOk(await shim.closeStdin(CONTAINER));
  assert.deepEqual(assertOk(await waiting), { status: EXIT_CODE });
  assert.equal((await shim.stats()).checksFailed, 0);
  assertOk(await shim.stopVM(ID));
  await shim.agentClosed();
  assert.deepEqual(await node.instances(), []);
  await node.relayEnded(RELAY_END_MS);
}

/** Sends a line through the container and waits for more checks, all over the same connection. */
async function echo(shim: GoShim, line: string): Promise<void> {
  const sent = new TextEncoder().encode(line);
  assertOk(await shim.writeStdin(CONTAINER, sent));
  assert.deepEqual(assertOk(await shim.readStdout(CONTAINER)), sent);
  await shim.checked((await shim.stats()).checksOk + CHECKS);
}

async function relayIn(node: CaaNode, slot: string) {
  const relay = await connectRelay({ dir: join(node.dir, "relay"), slot, build: "test" });
  if (relay === undefined) return undefined;
  const { build, draining: isDraining, sandboxes } = relay.hello;
  relay.disconnect();
  await relay.closed;
  return { build, isDraining, sandboxes };
}
