// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { getLogger } from "@logtape/logtape";
import { listenUnix } from "../net/unix_socket.ts";
import { Relay, TlsSchema } from "../proto/gen/relay_pb.ts";
import { startGuestEnd } from "../testing/guest_end.ts";
import { drainRelay, POOL_TIMING, withPools } from "../testing/relay_pools.ts";
import { createTtrpcServer } from "../ttrpc/server.ts";
import { implementService } from "../ttrpc/typed.ts";
import { connectRelay } from "./relay_client.ts";
import { takeRelaySlot } from "./relay_slot.ts";

const log = getLogger(["peerctl", "test"]);
const never = new AbortController().signal;

Deno.test("open() starts a relay when none runs, list() and close() find the sandbox", async () => {
  await withPools(async ({ pool, sandbox, started }) => {
    const relays = pool();
    assert.deepEqual(await relays.list(), []);
    assert.equal(await relays.close("s1"), false);
    assert.deepEqual(started, []);
    await relays.open(sandbox("s1"), never);
    assert.deepEqual(started, ["0"]);
    assert.deepEqual((await relays.list()).map(({ sandboxId, labels }) => [sandboxId, labels]), [["s1", {
      pod: "s1",
    }]]);
    assert.equal(await relays.close("s1"), true);
    assert.equal(await relays.close("s1"), false);
  });
});

Deno.test("a new pool finds what an earlier one opened, and opens it again without a second relay", async () => {
  await withPools(async ({ pool, sandbox, started, guest }) => {
    const earlier = pool();
    await earlier.open(sandbox("s1"), never);
    await earlier.stop();
    const later = pool({ count: 3 });
    assert.equal((await later.list())[0]?.sandboxId, "s1");
    await later.open(sandbox("s1"), never);
    assert.equal(guest.accepted, 1);
    assert.deepEqual(started, ["0"]);
    assert.equal(await later.close("s1"), true);
  });
});

Deno.test("open() at once from two pools starts one relay", async () => {
  await withPools(async ({ pool, sandbox, dir, started }) => {
    const pools = [pool(), pool()];
    const ids = ["s1", "s2", "s3", "s4"];
    await Promise.all(ids.map((id, i) => pools[i % 2]?.open(sandbox(id), never)));
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["0"]);
    assert.ok(started.length >= 1);
    for (const one of pools) assert.equal((await one.list()).length, 4);
  });
});

Deno.test("open() spreads sandboxes over as many relays as wanted, starting them one by one", async () => {
  await withPools(async ({ pool, sandbox, started, dir }) => {
    const relays = pool({ count: 3 });
    await relays.open(sandbox("s1"), never);
    assert.deepEqual(started, ["0"]);
    await Promise.all(["s2", "s3", "s4", "s5", "s6"].map((id) => relays.open(sandbox(id), never)));
    assert.deepEqual(started, ["0", "1", "2"]);
    for (const slot of started) {
      const client = await connectRelay({ dir, slot, build: "test" });
      assert.equal((await client?.list())?.length, 2, slot);
      client?.disconnect();
      await client?.closed;
    }
    await relays.close("s2");
    assert.equal((await relays.list()).length, 5);
  });
});

Deno.test("open() carries on with the relays it has when another cannot be started", async () => {
  await withPools(async ({ pool, sandbox, start }) => {
    await start("0");
    const starter = { start: () => Promise.reject(new Error("no memory")), warnings: () => ["no memory"] };
    const relays = pool({ count: 2, starter });
    await relays.open(sandbox("s1"), never);
    await relays.open(sandbox("s2"), never);
    assert.equal((await relays.list()).length, 2);
    assert.deepEqual(relays.warnings(), ["no memory"]);
  });
});

Deno.test("open() says so when the relay it starts never answers", async () => {
  await withPools(async ({ pool, sandbox }) => {
    let starts = 0;
    const starter = { start: () => Promise.resolve(void starts++), warnings: () => [] };
    const relays = pool({ starter, timing: { ...POOL_TIMING, startMs: 500 } });
    const opens = [relays.open(sandbox("s1"), never), relays.open(sandbox("s2"), never)];
    for (const opened of opens) await assert.rejects(opened, { kind: "peer", message: /relay 0 did not answer/ });
    assert.ok(starts >= 2 && starts <= 4, `${starts} starts`);
  });
});

Deno.test("open() in mode wait uses a relay that comes late, and gives up when none comes", async () => {
  await withPools(async ({ pool, sandbox, start, started }) => {
    const relays = pool({ mode: "wait" });
    const refusal = { kind: "peer", message: /none answered within 300 ms/, hint: /peerctl relay -dir \S+ -stay/ };
    await assert.rejects(relays.open(sandbox("s1"), never), refusal);
    assert.match(relays.warnings()[0] ?? "", /no relay runs/);
    const opening = relays.open(sandbox("s1"), never);
    await start("7");
    await opening;
    assert.deepEqual(relays.warnings(), []);
    assert.deepEqual(started, []);
  });
});

Deno.test("open() gives up waiting for a relay when told to", async () => {
  await withPools(async ({ pool, sandbox }) => {
    const starter = { start: () => Promise.resolve(), warnings: () => [] };
    for (const mode of ["wait", "auto"] as const) {
      const cancel = new AbortController();
      const relays = pool({ mode, starter, timing: { ...POOL_TIMING, waitMs: 60_000, startMs: 60_000 } });
      const opening = relays.open(sandbox("s1"), cancel.signal);
      cancel.abort();
      await assert.rejects(opening, { kind: "closed" }, mode);
    }
  });
});

Deno.test("open() that is given up is undone in the relay", async () => {
  await withPools(async ({ pool, sandbox, guest }) => {
    const silent = await startGuestEnd({ log, isSilent: true });
    try {
      const relays = pool();
      await relays.open(sandbox("s0"), never);
      const cancel = new AbortController();
      const opening = relays.open(sandbox("s1", silent), cancel.signal);
      await silent.untilConnections(1);
      cancel.abort();
      await assert.rejects(opening, { kind: "closed" });
      await silent.untilConnections(0);
      assert.deepEqual((await relays.list()).map(({ sandboxId }) => sandboxId), ["s0"]);
      assert.equal(guest.accepted, 1);
    } finally {
      await silent.stop();
    }
  });
});

Deno.test("open() given up for a sandbox that is open leaves it open", async () => {
  await withPools(async ({ pool, sandbox }) => {
    const relays = pool();
    await relays.open(sandbox("s1"), never);
    await assert.rejects(relays.open(sandbox("s1"), AbortSignal.abort()));
    assert.equal((await relays.list()).length, 1);
  });
});

Deno.test("open() and close() during an opening: the opening fails, nothing is left", async () => {
  await withPools(async ({ pool, sandbox }) => {
    const silent = await startGuestEnd({ log, isSilent: true });
    try {
      const relays = pool();
      const opening = assert.rejects(relays.open(sandbox("s1", silent), never), {
        kind: "closed",
        message: /cancelled/,
      });
      await silent.untilConnections(1);
      assert.equal(await relays.close("s1"), true);
      await opening;
      await silent.untilConnections(0);
    } finally {
      await silent.stop();
    }
  });
});

Deno.test("open() passes on what the relay found", async () => {
  await withPools(async ({ pool, sandbox, guest }) => {
    const relays = pool();
    await relays.open(sandbox("s1"), never);
    await assert.rejects(relays.open({ ...sandbox("s1"), port: 1 }, never), { kind: "state", message: /open already/ });
    await assert.rejects(relays.open({ ...sandbox("s2"), agentSocket: "x" }, never), { kind: "config" });
    await guest.stop();
    await assert.rejects(relays.open({ ...sandbox("s3"), timeoutMs: 200n }, never), { kind: "timeout" });
  });
});

Deno.test("open() goes to another relay when the one there drains", async () => {
  await withPools(async ({ pool, sandbox, dir, started }) => {
    const relays = pool();
    await relays.open(sandbox("s1"), never);
    const control = await drainRelay(dir, "0");
    await relays.open(sandbox("s2"), never);
    assert.deepEqual(started, ["0", "1"]);
    assert.deepEqual((await relays.list()).map(({ sandboxId }) => sandboxId), ["s1", "s2"]);
    const later = pool();
    await later.open(sandbox("s3"), never);
    assert.deepEqual(started, ["0", "1"]);
    assert.equal(await later.close("s1"), true);
    await control.closed;
  });
});

Deno.test("open() starts a new relay when the one there ends in between", async () => {
  await withPools(async ({ pool, sandbox, start, started }) => {
    const silent = await startGuestEnd({ log, isSilent: true });
    try {
      const relay = await start("0");
      const relays = pool();
      const cancel = new AbortController();
      const opening = relays.open(sandbox("s1", silent), cancel.signal);
      await silent.untilConnections(1);
      await relay.stop();
      await silent.untilConnections(0);
      await silent.untilConnections(1);
      assert.equal(started.length, 1);
      cancel.abort();
      await assert.rejects(opening);
    } finally {
      await silent.stop();
    }
  });
});

Deno.test("a relay that ends with sandboxes is reported with their ids; one that ends idle is not", async () => {
  await withPools(async ({ pool, sandbox, start, nextLost, lost }) => {
    const relay = await start("0");
    const relays = pool();
    await relays.open(sandbox("s1"), never);
    await relays.open(sandbox("s2"), never);
    await relays.close("s2");
    const noticed = nextLost();
    await relay.stop();
    assert.deepEqual(await noticed, ["0", ["s1"]]);
    assert.deepEqual(await relays.list(), []);
    const idle = await start("0");
    await relays.list();
    await idle.stop();
    await relays.list();
    assert.equal(lost.length, 1);
  });
});

Deno.test("stop() still meets a relay that was just started, which ends soon then", async () => {
  await withPools(async ({ pool, sandbox, start }) => {
    const wanted = Promise.withResolvers<string>();
    const relays = pool({
      starter: { start: (slot) => Promise.resolve(wanted.resolve(slot)), warnings: () => [] },
    });
    const opening = new AbortController();
    const opened = assert.rejects(relays.open(sandbox("s1"), opening.signal), { kind: "closed" });
    const slot = await wanted.promise;
    opening.abort();
    await opened;
    const stopped = relays.stop();
    // A grace of an hour: a relay that is not met keeps the test from ending.
    const relay = await start(slot, { startGraceMs: 3_600_000 });
    await stopped;
    await relay.closed;
  });
});

Deno.test("stop() drops connections only: relay and sandbox go on, nothing is reported", async () => {
  await withPools(async ({ pool, sandbox, lost, dir }) => {
    const relays = pool();
    await relays.open(sandbox("s1"), never);
    await relays.stop();
    assert.deepEqual(lost, []);
    const client = await connectRelay({ dir, slot: "0", build: "test" });
    assert.equal((await client?.list())?.length, 1);
    client?.disconnect();
    await client?.closed;
  });
});

Deno.test("a relay of another protocol is left alone, warned of, and its slot not used", async () => {
  await withPools(async ({ pool, sandbox, dir, started }) => {
    using slot = await takeRelaySlot(dir, "0");
    const hello = () => Promise.resolve({ protocol: 99, build: "future" });
    const server = createTtrpcServer({ services: new Map([implementService(Relay, { hello })]), log });
    const listener = await listenUnix({
      path: slot.paths.controlSocket,
      onConnection: (socket) => server.serve(socket),
    });
    try {
      const relays = pool();
      await relays.open(sandbox("s1"), never);
      assert.deepEqual(started, ["1"]);
      assert.match(relays.warnings().join(), /relay 0: it speaks control protocol 99 \(build future\)/);
      assert.equal((await relays.list()).length, 1);
      assert.equal(server.connections, 0);
    } finally {
      server.close();
      await listener.close();
    }
  });
});

Deno.test("update() reaches those that are selected", async () => {
  await withPools(async ({ pool, sandbox }) => {
    const guest = await startGuestEnd({ log, tlsName: "podvm-one" });
    try {
      const relays = pool();
      const { ca = "", cert = "", key = "" } = guest.tls?.credentials ?? {};
      const tls = create(TlsSchema, { serverName: "podvm-one", caPem: ca, certPem: cert, keyPem: key });
      for (const mode of ["manual", "automatic"]) {
        await relays.open({ ...sandbox(mode, guest), tls, labels: { tls: mode } }, never);
      }
      const asked: string[] = [];
      await relays.update({ ca, cert, key }, ({ labels }) => {
        asked.push(labels["tls"] ?? "");
        return labels["tls"] === "manual";
      });
      assert.deepEqual(asked.sort(), ["automatic", "manual"]);
      await assert.rejects(relays.update({ ca, cert, key: "x" }), { kind: "config" });
      await relays.update({ ca, cert, key: "x" }, () => false);
    } finally {
      await guest.stop();
    }
  });
});
