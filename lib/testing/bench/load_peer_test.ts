// SPDX-License-Identifier: Apache-2.0
/** What the benches' client says when something between it and the agent changes a single byte. */

import assert from "node:assert/strict";
import type * as net from "node:net";
import { join } from "node:path";
import { dialUnix, listenUnix } from "../../net/unix_socket.ts";
import { requirePeer } from "../peers.ts";
import { withTempDir } from "../temp_dir.ts";
import { type CallKind, type Load, startBenchAgent, startLoad } from "./load.ts";

/** Which chunk is changed: one after the client and the agent have begun to get used to each other. */
const CHANGED_CHUNK = 20;

/** Enough calls that there is such a chunk in either direction. */
const CALLS = 100;

type Direction = "requests" | "replies";

/** Joins a client with the agent through a hop that changes the last byte of one chunk or of some, or nothing. */
async function withHop(
  changed: Direction | undefined,
  body: (load: Load) => Promise<void>,
  count = 1,
): Promise<void> {
  await withTempDir(async (dir) => {
    await using stack = new AsyncDisposableStack();
    const agentSocket = join(dir, "agent.sock"), path = join(dir, "hop.sock");
    stack.adopt(await startBenchAgent(agentSocket), (agent) => agent.stop());
    const closed: Promise<void>[] = [];
    const listener = await listenUnix({
      path,
      async onConnection(client) {
        client.pause();
        const agent = await dialUnix(agentSocket);
        const countOf = (direction: Direction) => changed === direction ? count : 0;
        closed.push(pipe(client, agent, countOf("requests")), pipe(agent, client, countOf("replies")));
      },
    });
    stack.defer(async () => {
      await listener.close();
      await Promise.all(closed);
    });
    const load = stack.adopt(await startLoad(), (running) => running.stop());
    await load.dial(path);
    await body(load);
  });
}

/** Resolves when `from` has closed. */
function pipe(from: net.Socket, to: net.Socket, changes: number): Promise<void> {
  let chunks = 0;
  from.on("data", (chunk: Uint8Array) => {
    chunks++;
    if (chunks >= CHANGED_CHUNK && chunks < CHANGED_CHUNK + changes) chunk[chunk.byteLength - 1]! ^= 1;
    to.write(chunk);
  });
  from.on("error", () => {});
  from.resume();
  return new Promise((resolve) =>
    from.once("close", () => {
      to.destroy();
      resolve();
    })
  );
}

const kinds: readonly CallKind[] = [
  { call: "unary", bytes: 64, inFlight: 1 },
  { call: "read", bytes: 32 << 10, inFlight: 1 },
  { call: "copy", bytes: 1 << 20, inFlight: 1 },
];

Deno.test({
  name: "load.run() passes when nothing is changed on the way",
  ...requirePeer("go"),
  fn: () =>
    withHop(undefined, async (load) => {
      for (const kind of kinds) assert.equal((await load.run(kind, { calls: CALLS })).calls, CALLS);
    }),
});

const cases: readonly [CallKind, Direction, RegExp][] = [
  [kinds[0]!, "requests", /unary of 64 bytes: a reply has the wrong sum/],
  [kinds[0]!, "replies", /unary of 64 bytes: a reply has the wrong sum/],
  [kinds[1]!, "replies", /read of 32768 bytes: a reply has the wrong bytes/],
  [kinds[2]!, "requests", /copy of 1048576 bytes: .*the data is not what was sent/],
];

for (const [kind, direction, message] of cases) {
  Deno.test({
    name: `load.run() fails when one byte of the ${direction} of ${kind.call} is changed on the way`,
    ...requirePeer("go"),
    fn: () => withHop(direction, (load) => assert.rejects(load.run(kind, { calls: CALLS }), message)),
  });
}

Deno.test({
  name: "load.release() fails when the reply to a parked call is changed on the way",
  ...requirePeer("go"),
  fn: () =>
    withHop("replies", async (load) => {
      await load.run(kinds[0]!, { calls: CHANGED_CHUNK - 1 });
      await load.park(1);
      await assert.rejects(load.release(), /1 parked calls got wrong replies/);
      // Its reply and that of the call that ends the waiting come in any order.
    }, 2),
});
