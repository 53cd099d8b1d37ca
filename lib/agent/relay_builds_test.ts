// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { drainRelay, withPools } from "../testing/relay_pools.ts";
import { connectRelay } from "./relay_client.ts";

const never = new AbortController().signal;

Deno.test("a relay of another build keeps its sandboxes and ends with them, a new one takes the others", async () => {
  await withPools(async ({ pool, sandbox, start, started, dir, lost }) => {
    const old = await start("0", { build: "old" });
    const before = pool({ build: "old" });
    await before.open(sandbox("s1"), never);
    await before.stop();
    const relays = pool();
    assert.deepEqual((await relays.list()).map(({ sandboxId }) => sandboxId), ["s1"]);
    await relays.open(sandbox("s2"), never);
    assert.deepEqual(started, ["1"]);
    assert.deepEqual([relays.slotOf("s1"), relays.slotOf("s2"), relays.slotOf("s3")], ["0", "1", undefined]);
    assert.deepEqual((await relays.list()).map(({ sandboxId }) => sandboxId), ["s1", "s2"]);
    assert.deepEqual(relays.warnings(), []);
    await relays.open(sandbox("s1"), never);
    const client = await connectRelay({ dir, slot: "0", build: "test" });
    assert.deepEqual([client?.hello.build, client?.hello.draining, client?.hello.sandboxes], ["old", true, 1]);
    await relays.update({});
    assert.equal(await relays.close("s1"), true);
    await Promise.all([old.closed, client?.closed]);
    assert.deepEqual((await relays.list()).map(({ sandboxId }) => sandboxId), ["s2"]);
    assert.deepEqual(lost, []);
  });
});

Deno.test("an idle relay of another build ends as soon as it is found", async () => {
  await withPools(async ({ pool, start }) => {
    const old = await start("0", { build: "old" });
    assert.deepEqual(await pool().list(), []);
    await old.closed;
  });
});

Deno.test("in mode wait a relay of another build is used as before, and said so", async () => {
  await withPools(async ({ pool, sandbox, start, dir }) => {
    await start("0", { build: "old" });
    const relays = pool({ mode: "wait" });
    await relays.open(sandbox("s1"), never);
    assert.equal(relays.slotOf("s1"), "0");
    assert.deepEqual(relays.warnings(), [
      "relay 0 is of build old, this caa of build test: it is used all the same; start one of this build in another " +
      `slot, then run "peerctl relay drain --dir ${dir} --slot 0"`,
    ]);
    await start("1");
    await drainRelay(dir, "0");
    await relays.open(sandbox("s2"), never);
    assert.equal(relays.slotOf("s2"), "1");
  });
});

Deno.test("a relay that we start is used whatever its build: the program may have been replaced under us", async () => {
  await withPools(async ({ pool, sandbox, start }) => {
    const running: Promise<unknown>[] = [];
    const relays = pool({
      starter: {
        start: (slot) => Promise.resolve(void running.push(start(slot, { build: "later" }))),
        warnings: () => [],
      },
    });
    await relays.open(sandbox("s1"), never);
    await relays.open(sandbox("s2"), never);
    assert.equal(running.length, 1);
    assert.match(relays.warnings().join(), /relay 0 is of build later, this caa of build test: .*; restart caa/);
  });
});

Deno.test("open() starts a new relay when an operator has drained all there are, however many", async () => {
  await withPools(async ({ pool, sandbox, start, started, dir }) => {
    const slots = ["0", "1", "2", "3", "4"];
    for (const slot of slots) await start(slot);
    const relays = pool({ count: 5 });
    for (const slot of slots) await relays.open(sandbox(`s${slot}`), never);
    for (const slot of slots) await drainRelay(dir, slot);
    await relays.open(sandbox("s9"), never);
    assert.deepEqual([started, relays.slotOf("s9")], [["5"], "5"]);
  });
});
