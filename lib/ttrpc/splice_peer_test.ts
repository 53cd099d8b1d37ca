// SPDX-License-Identifier: Apache-2.0
/** A splice between containerd/ttrpc's client and its server, which refuses ids that do not grow. */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import net from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { getLogger } from "@logtape/logtape";
import { dialUnix } from "../net/unix_socket.ts";
import { type GoAgent, startGoAgent } from "../testing/go_agent.ts";
import { type GoShim, startGoShim } from "../testing/go_shim.ts";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { type Rewriters, type Splice, spliceTtrpc } from "./splice.ts";

interface GoPair {
  readonly shim: GoShim;
  readonly agent: GoAgent;
  readonly splice: Splice;
}

/** Connects a Go client to a Go server through one splice. */
function withGoPair(rewriters: Rewriters, body: (pair: GoPair) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    const agentSocket = join(dir, "agent.sock");
    const socket = join(dir, "agent.ttrpc");
    await using stack = new AsyncDisposableStack();
    const agent = stack.adopt(await startGoAgent({ socket: agentSocket, dir: join(dir, "files") }), stop);
    const listener = net.createServer().listen(socket);
    stack.defer(async () => void await once(listener.close(), "close"));
    await once(listener, "listening");
    const shim = stack.adopt(await startGoShim({ socket: join(dir, "none.sock") }), stop);
    const connection = once(listener, "connection");
    await shim.connect(socket);
    const [client] = await connection;
    const server = await dialUnix(agentSocket);
    const splice = spliceTtrpc({ client, server, rewriters, log: getLogger("test") });
    stack.defer(() => {
      splice.destroy();
      return splice.closed;
    });
    await body({ shim, agent, splice });
  });
}

const stop = (peer: { stop(): Promise<void> }) => peer.stop();

const MIB = 1 << 20;

Deno.test({
  name: "an overtaken CreateContainer is accepted by a Go server, beside a parked WaitProcess",
  ...requirePeer("go"),
  async fn() {
    let arrive = (_release: () => void) => {};
    const hold = (payload: Uint8Array) => new Promise<Uint8Array>((resolve) => arrive(() => resolve(payload)));
    await withGoPair(new Map([["grpc.AgentService/CreateContainer", hold]]), async ({ shim, agent }) => {
      /** Resolves when the request is held, to what lets it go and to its reply. */
      const create = async (id: string) => {
        const held = new Promise<() => void>((resolve) => arrive = resolve);
        const created = shim.createContainer({ id, args: ["/bin/cat"] });
        return { release: await held, created };
      };
      // With nothing after it, the first one goes out under its own id.
      const first = await create("c1");
      first.release();
      assert.ok((await first.created).ok);
      assert.ok((await shim.startContainer("c1")).ok);
      const parked = shim.waitProcess("c1");
      await agent.requested("WaitProcess");

      for (const id of ["c2", "c3", "c4"]) {
        const { release, created } = await create(id);
        assert.ok((await shim.check()).ok, "a check passes the held request");
        release();
        assert.ok((await created).ok, "the overtaken request is accepted");
        assert.ok((await shim.startContainer(id)).ok);
      }
      const sent = Buffer.alloc(3 * MIB, "x");
      const written = shim.writeStdin("c3", sent);
      let read = 0;
      while (read < sent.byteLength) read += (await shim.readStdout("c3")).result.byteLength;
      assert.ok((await written).ok);
      assert.ok((await shim.closeStdin("c1")).ok);
      assert.equal((await parked).result.status ?? 0, 0, "the call in flight kept its number");
    });
  },
});

Deno.test({
  name: "a Go client sees a refused request as its status, and what its own server says as ever",
  ...requirePeer("go"),
  async fn() {
    const refuse = () => Promise.reject(new TypeError("not like this"));
    await withGoPair(new Map([["grpc.AgentService/CreateContainer", refuse]]), async ({ shim, agent }) => {
      const refused = await shim.createContainer({ id: "c1", args: ["/bin/true"] });
      assert.deepEqual([refused.ok, refused.code], [false, 2]);
      assert.match(refused.error, /not like this/);
      assert.equal(agent.requests("CreateContainer").length, 0);
      assert.equal((await shim.waitProcess("none")).code, 5);
      assert.equal((await shim.call("grpc.AgentService", "CreateContainer", {}, { timeoutMs: 5_000 })).code, 2);
      assert.ok((await shim.check()).ok);
    });
  },
});

Deno.test({
  name: "a Go client learns that its server is gone, and a Go server that its client is",
  ...requirePeer("go"),
  async fn() {
    await withGoPair(new Map(), async ({ shim, agent, splice }) => {
      const parked = shim.getOOMEvent();
      await agent.requested("GetOOMEvent");
      await agent.stop();
      const { code, error } = await parked;
      assert.deepEqual([code, error], [-1, "ttrpc: closed"]);
      await shim.agentClosed();
      await splice.closed;
    });
    await withGoPair(new Map(), async ({ shim, splice }) => {
      assert.ok((await shim.check()).ok);
      await shim.disconnect();
      await splice.closed;
    });
  },
});
