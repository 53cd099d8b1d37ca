// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { checkSlot, clearSlot, isSlotTaken, listSlots, relaySlotPaths, takeRelaySlot } from "./relay_slot.ts";

Deno.test("checkSlot() takes small numbers only", () => {
  for (const slot of ["0", "1", "42", "999"]) checkSlot(slot);
  for (const slot of ["", "00", "01", "-1", "1000", "1.0", "..", "../x", "a/b", " 1", "1\n", "control.sock"]) {
    assert.throws(() => checkSlot(slot), { kind: "config", message: /Cannot use relay slot/ }, JSON.stringify(slot));
  }
});

Deno.test("relaySlotPaths() refuses a relative directory and one too long for a socket", () => {
  assert.throws(() => relaySlotPaths("relay", "0"), { kind: "config", message: /not absolute/ });
  assert.throws(() => relaySlotPaths(`/${"x".repeat(100)}`, "0"), { kind: "config", message: /107/ });
});

Deno.test("takeRelaySlot() makes private folders and lets nobody else in until it is released", async () => {
  await withTempDir(async (parent) => {
    const dir = join(parent, "relay");
    assert.equal(await isSlotTaken(dir, "3"), false);
    const slot = await takeRelaySlot(dir, "3");
    for (const folder of [dir, slot.paths.folder]) assert.equal(mode(folder), 0o700, folder);
    assert.equal(mode(slot.paths.lock), 0o600);
    assert.equal(await isSlotTaken(dir, "3"), true);
    await assert.rejects(takeRelaySlot(dir, "3"), { kind: "state", message: /slot 3 .* another relay has it/ });
    using other = await takeRelaySlot(dir, "4");
    assert.notEqual(other.paths.folder, slot.paths.folder);
    slot.release();
    slot.release();
    assert.equal(await isSlotTaken(dir, "3"), false);
    (await takeRelaySlot(dir, "3")).release();
  });
});

Deno.test("clearSlot() removes what a killed relay left, and touches no slot that is taken", async () => {
  await withTempDir(async (dir) => {
    await clearSlot(dir, "0");
    assert.deepEqual([...Deno.readDirSync(dir)], []);
    const slot = await takeRelaySlot(dir, "0");
    for (const name of ["relay.log", "relay.log.1"]) await Deno.writeTextFile(join(slot.paths.folder, name), "");
    using listener = Deno.listen({ transport: "unix", path: join(dir, "s") });
    await Deno.rename(listener.addr.path, slot.paths.controlSocket);
    await Deno.mkdir(join(slot.paths.folder, ".~ab"));
    const names = () => [...Deno.readDirSync(slot.paths.folder)].map(({ name }) => name).sort();
    await clearSlot(dir, "0");
    assert.deepEqual(names(), [".~ab", "control.sock", "lock", "relay.log", "relay.log.1"]);
    const cleared = clearSlot(dir, "0", { wait: true });
    slot.release();
    await cleared;
    assert.deepEqual(names(), ["lock", "relay.log", "relay.log.1"]);
  });
});

Deno.test("takeRelaySlot() gets past somebody who only looks", async () => {
  await withTempDir(async (dir) => {
    const { paths, release } = await takeRelaySlot(dir, "0");
    release();
    using looking = await Deno.open(paths.lock, { read: true });
    assert.equal(await looking.tryLock(false), true);
    const taking = takeRelaySlot(dir, "0");
    await looking.unlock();
    using _taken = await taking;
  });
});

Deno.test("takeRelaySlot() says when the directory cannot be made", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(join(dir, "relay"), "");
    await assert.rejects(takeRelaySlot(join(dir, "relay"), "0"), { name: "PeerctlError" });
  });
});

Deno.test("listSlots() finds slot folders in order and nothing else", async () => {
  await withTempDir(async (dir) => {
    assert.deepEqual(await listSlots(join(dir, "none")), []);
    for (const name of ["10", "2", "0", "x", "01"]) await Deno.mkdir(join(dir, name));
    await Deno.writeTextFile(join(dir, "5"), "");
    assert.deepEqual(await listSlots(dir), ["0", "2", "10"]);
  });
});

function mode(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o7777;
}
