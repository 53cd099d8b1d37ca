// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readRecord, RECORD_VERSION, removeFolder, type VmRecord, writeRecord } from "./vm_record.ts";

const record: VmRecord = {
  version: RECORD_VERSION,
  id: "vm-0123456789abcdef",
  name: "podvm-p-s1",
  sandboxId: "s1",
  podName: "p",
  podNamespace: "default",
  idempotencyKey: "k",
  installationId: "i",
  nodeName: "n",
  address: "127.1.2.3",
  marker: "0".repeat(32),
  bootId: "b",
  pidNamespace: "pid:[1]",
  processes: [{ role: "agent", pid: 7, startTime: "12345" }],
};

Deno.test("writeRecord() and readRecord() keep everything, for our eyes only", async () => {
  const folder = await Deno.makeTempDir();
  assert.equal(await readRecord(folder), undefined);
  await writeRecord(folder, record);
  assert.deepEqual(await readRecord(folder), record);
  assert.equal(((await Deno.stat(`${folder}/instance.json`)).mode ?? 0) & 0o777, 0o600);
  await removeFolder(folder);
});

Deno.test("readRecord() refuses what it does not understand", async () => {
  const folder = await Deno.makeTempDir();
  const broken = ["{", "[]", JSON.stringify({ ...record, version: 2 }), JSON.stringify({ ...record, marker: "" })];
  for (const text of broken) {
    await Deno.writeTextFile(`${folder}/instance.json`, text);
    await assert.rejects(readRecord(folder), { kind: "state", message: /Cannot read pod VM record/ }, text);
  }
  await removeFolder(folder);
});

Deno.test("removeFolder() removes what links lead to nowhere but in the folder, and minds no missing folder", async () => {
  const outside = await Deno.makeTempDir();
  await Deno.writeTextFile(`${outside}/kept`, "");
  const folder = await Deno.makeTempDir();
  await writeRecord(folder, record);
  await Deno.mkdir(`${folder}/a/b`, { recursive: true });
  await Deno.symlink(outside, `${folder}/a/link`);
  await removeFolder(folder);
  await removeFolder(folder);
  await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  assert.ok(await Deno.stat(`${outside}/kept`));
  await Deno.remove(outside, { recursive: true });
});
