// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { takeRelaySlot } from "../agent/relay_slot.ts";
import { openJournal } from "../sandbox/journal.ts";
import { writeHistory } from "./journal_history.ts";
import { findLeftovers, findUnknownInstances } from "./leftovers.ts";
import { withTempDir } from "./temp_dir.ts";

const MARKER = crypto.randomUUID();

Deno.test("findLeftovers() finds a process, a socket, a key, a folder and a row, and nothing in a tidy place", async () => {
  await withTempDir(async (dir) => {
    using journal = await openJournal(join(dir, "pods/.journal"));
    await Deno.mkdir(join(dir, "pods/.process"));
    const slot = await takeRelaySlot(join(dir, "relay"), "0");
    using listener = Deno.listen({ transport: "unix", path: join(dir, "s") });
    await Deno.rename(listener.addr.path, slot.paths.controlSocket);
    const look = () => findLeftovers({ dir, caaPid: undefined, markers: new Set([MARKER]) });
    slot.release();
    assert.deepEqual(await look(), ["file relay/0/control.sock"]);
    await Deno.remove(slot.paths.controlSocket);
    assert.deepEqual(await look(), []);

    writeHistory(journal, 4);
    writeHistory(journal, 2);
    await Deno.mkdir(join(dir, "pods/sb1"));
    await Deno.writeTextFile(join(dir, "pods/.ca.key.tmp"), "");
    const start = (args: string[], env: Record<string, string>) =>
      new Deno.Command("/bin/sh", { args: ["-c", "read x", ...args], env, stdin: "piped" }).spawn();
    const children = [start([`${dir}/x`], {}), start([], { PEERCTL_VM: MARKER })];
    try {
      const found = (await look()).map((line) => line.replace(/\d+:.*/, ""));
      assert.deepEqual(found.sort(), [
        "file pods/.ca.key.tmp",
        "file pods/sb1/",
        "journal row deletion sb2 ",
        "journal row sandbox sb4 running",
        "process ",
        "process ",
      ]);
    } finally {
      for (const child of children) {
        await child.stdin.close();
        await child.status;
      }
    }
  });
});

Deno.test("findUnknownInstances() finds the pod VM of a sandbox that the journal does not have, or has as not started", async () => {
  await withTempDir(async (dir) => {
    using journal = await openJournal(join(dir, "pods/.journal"));
    writeHistory(journal, 4); // sb4 runs
    for (const sandboxId of ["sb4", "sb9"]) {
      await Deno.mkdir(join(dir, "pods/.process", sandboxId), { recursive: true });
      await Deno.writeTextFile(join(dir, "pods/.process", sandboxId, "instance.json"), JSON.stringify({ sandboxId }));
    }
    assert.deepEqual(await findUnknownInstances(dir), ["instance sb9 of sandbox sb9"]);
  });
});
