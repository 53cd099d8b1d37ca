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

/** Which chunks are changed: `count` from the one with number `first`, counted from 1. */
interface Change {
  readonly of: Direction;
  readonly first?: number;
  readonly count?: number;
}

/** Joins clients with the agent through a hop that changes the last byte of some chunks of each connection. */
async function withHop(
  change: Change | undefined,
  body: (load: Load, path: string) => Promise<void>,
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
        const changeOf = (direction: Direction) => change?.of === direction ? change : undefined;
        closed.push(pipe(client, agent, changeOf("requests")), pipe(agent, client, changeOf("replies")));
      },
    });
    stack.defer(async () => {
      await listener.close();
      await Promise.all(closed);
    });
    const load = stack.adopt(await startLoad(), (running) => running.stop());
    await load.dial(path);
    await body(load, path);
  });
}

/** Resolves when `from` has closed. */
function pipe(from: net.Socket, to: net.Socket, change: Change | undefined): Promise<void> {
  const { first = CHANGED_CHUNK, count = 1 } = change ?? { count: 0 };
  let chunks = 0;
  from.on("data", (chunk: Uint8Array) => {
    chunks++;
    if (chunks >= first && chunks < first + count) chunk[chunk.byteLength - 1]! ^= 1;
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
    fn: () => withHop({ of: direction }, (load) => assert.rejects(load.run(kind, { calls: CALLS }), message)),
  });
}

Deno.test({
  name: "load.release() fails when the reply to a parked call is changed on the way",
  ...requirePeer("go"),
  fn: () =>
    // Its reply and that of the call that ends the waiting may come in one chunk or in two.
    withHop({ of: "replies", count: 2 }, async (load) => {
      await load.run(kinds[0]!, { calls: CHANGED_CHUNK - 1 });
      await load.park(1);
      await assert.rejects(load.release(), /1 parked calls got wrong replies/);
    }),
});

for (const first of [1, 2]) {
  Deno.test({
    name: `load.${first === 1 ? "open" : "checkAll"}() fails when the reply to a check is changed on the way`,
    ...requirePeer("go"),
    fn: () =>
      withHop({ of: "replies", first }, async (load, path) => {
        const opened = load.open([path]);
        if (first === 1) return await assert.rejects(opened, /the agent says/);
        await opened;
        await assert.rejects(load.checkAll(0.1), /the agent says/);
      }),
  });
}
