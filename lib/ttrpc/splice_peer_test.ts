// SPDX-License-Identifier: Apache-2.0
/** A splice between containerd/ttrpc's client and its server, which refuses stream ids that do not grow. */

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { assertOk } from "../testing/agent_sequence.ts";
import { type GoAgent, startGoAgent } from "../testing/go_agent.ts";
import { type GoShim, startGoShim } from "../testing/go_shim.ts";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import { type Rewriter, type Rewriters, spliceTtrpc } from "./splice.ts";
import { Code, RpcError } from "./status.ts";

const CREATE_CONTAINER = "grpc.AgentService/CreateContainer";

Deno.test({
  name: "spliceTtrpc() sends an overtaken CreateContainer of a Go client so that a Go server takes it",
  ...requirePeer("go"),
  async fn() {
    const held = createGate();
    await withSplice(new Map([[CREATE_CONTAINER, held.rewriter]]), async (shim, agent) => {
      held.open();
      assertOk(await shim.createContainer({ id: "c1", args: ["/bin/sh", "-c", "cat; exit 7"] }));
      assertOk(await shim.startContainer("c1"));
      const waiting = shim.waitProcess("c1");
      await agent.requested("WaitProcess");

      held.close();
      const created = ["c2", "c3"].map((id) => shim.createContainer({ id, args: ["/bin/true"] }));
      await held.arrived(2);
      // These overtake: the two that wait can no longer be sent with the ids that they have.
      for (let i = 0; i < 10; i++) assertOk(await shim.check());
      held.open();
      for (const reply of created) assertOk(await reply);

      assertOk(await shim.startContainer("c2"));
      assert.deepEqual(assertOk(await shim.waitProcess("c2")), {});
      assertOk(await shim.check());
      assertOk(await shim.closeStdin("c1"));
      assert.deepEqual(assertOk(await waiting), { status: 7 });
      assert.deepEqual(agent.requests("CreateContainer").map(({ request }) => request.container_id).sort(), [
        "c1",
        "c2",
        "c3",
      ]);
    });
  },
});

Deno.test({
  name: "spliceTtrpc() answers a Go client itself when a rewriter throws or makes too much, and goes on",
  ...requirePeer("go"),
  async fn() {
    const rewriters = new Map<string, Rewriter>([
      [CREATE_CONTAINER, () => Promise.reject(new RpcError(Code.permissionDenied, "not this one"))],
      ["grpc.AgentService/SetPolicy", () => new Uint8Array(MAX_PAYLOAD_BYTES)],
    ]);
    await withSplice(rewriters, async (shim, agent) => {
      const refused = await shim.createContainer({ id: "c1", args: ["/bin/true"] });
      assert.deepEqual([refused.ok, refused.code], [false, Code.permissionDenied]);
      assert.match(refused.error, /not this one/);
      assert.equal((await shim.setPolicy("p")).code, Code.resourceExhausted);
      assertOk(await shim.check());
      assert.deepEqual(agent.requests().map(({ method }) => method), ["Check"]);
    });
  },
});

/** A rewriter that changes nothing and holds requests while it is closed. */
function createGate() {
  let gate = Promise.withResolvers<void>();
  let count = 0;
  const waiters = new Map<number, () => void>();
  const rewriter: Rewriter = async (payload) => {
    waiters.get(++count)?.();
    await gate.promise;
    return payload;
  };
  return {
    rewriter,
    open: () => gate.resolve(),
    close() {
      gate = Promise.withResolvers();
      count = 0;
    },
    /** Resolves when `wanted` requests came since it was closed. */
    arrived: (wanted: number) =>
      new Promise<void>((resolve) => count >= wanted ? resolve() : waiters.set(wanted, resolve)),
  };
}

/** Joins a new Go shim to a new Go agent by a splice. */
async function withSplice(
  rewriters: Rewriters,
  body: (shim: GoShim, agent: GoAgent) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const socket = join(dir, "agent.ttrpc"), agentSocket = join(dir, "agent.sock");
    const ended: Promise<unknown>[] = [];
    const listener = net.createServer((client) => {
      const server = net.connect(agentSocket);
      ended.push(spliceTtrpc({ client, server, rewriters, log: getLogger("test") }).closed);
    });
    listener.listen(socket);
    await once(listener, "listening");
    const agent = await startGoAgent({ socket: agentSocket, dir });
    const shim = await startGoShim({ socket: "none" });
    try {
      assertOk(await shim.connect(socket));
      await body(shim, agent);
    } finally {
      await shim.stop();
      await Promise.all(ended);
      await agent.stop();
      listener.close();
      await once(listener, "close");
    }
  });
}
