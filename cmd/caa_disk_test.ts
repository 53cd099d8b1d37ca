// SPDX-License-Identifier: Apache-2.0
/** What caa does when its disk is full, and when its journal is damaged. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { CAA_ENV, caaArgs, podAnnotations, startCaa, withCaaDir, withHypervisor } from "../lib/testing/caa_process.ts";
import { endLeftovers } from "../lib/testing/caa_node.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { requireSmallDisk, withSmallDisk } from "../lib/testing/small_disk.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";
import { Code } from "../lib/ttrpc/status.ts";

/** Room for three pod VMs, the journal and the logs, in KiB. */
const DISK_KIB = 1024;

/** Between two checks of the running pod, in milliseconds. */
const CHECK_MS = 50;

/** What caa could not write it writes within a second; the rest is for a busy machine. In milliseconds. */
const HEAL_MS = 10_000;

Deno.test({
  name: "caa with a full disk refuses new pods with RESOURCE_EXHAUSTED, keeps and stops old ones, and heals",
  ...requireSmallDisk(),
  fn: () =>
    withSmallDisk(DISK_KIB, async ({ dir, fill, makeRoom }) => {
      try {
        await using caa = await startCaa(dir);
        await withHypervisor(dir, async (vm) => {
          const create = (id: string) => vm.createVM({ id, annotations: podAnnotations(id) });
          const { agentSocketPath } = await create("sb1");
          await vm.startVM({ id: "sb1" });
          await create("sb2");
          await create("sb3");
          await vm.startVM({ id: "sb3" });
          const checks = await startChecks(agentSocketPath);

          await fill();
          await checks.more();
          const full = { code: Code.resourceExhausted, message: /make room/ };
          await assert.rejects(vm.startVM({ id: "sb2" }), full);
          await assert.rejects(create("sb4"), full);
          await vm.stopVM({ id: "sb3" });
          assert.deepEqual(instanceCount(dir), 1);
          // What StopVM gave back is taken, too.
          await fill();
          await assert.rejects(vm.startVM({ id: "sb2" }), full);
          await vm.stopVM({ id: "sb2" });
          await checks.more();

          await makeRoom();
          await until(() => rowsOf(dir).join() === "sb1 running", () => rowsOf(dir).join());
          await create("sb5");
          await vm.startVM({ id: "sb5" });
          assert.deepEqual(rowsOf(dir), ["sb1 running", "sb5 running"]);
          await checks.more();
          await vm.stopVM({ id: "sb5" });
          await checks.stop();
          await vm.stopVM({ id: "sb1" });
        });
        assert.deepEqual([rowsOf(dir), instanceCount(dir)], [[], 0]);
        assert.equal(await caa.stop(), 0);
      } finally {
        await endLeftovers(dir);
      }
    }),
});

Deno.test("caa does not start on a damaged journal, says what to do, and starts when that is done", async () => {
  await withCaaDir(async (dir) => {
    await (await startCaa(dir)).stop();
    const path = join(dir, "pods/.journal/journal.db");
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.fill(0x5a, 100, 4096));
    const { code, stderr } = await runPeerctl(caaArgs(dir), { env: CAA_ENV });
    assert.equal(code, 1);
    assert.match(stderr, /Cannot (open|read) journal ".*journal\.db": .*\n.*move journal\.db/);
    assert.deepEqual(await Deno.readFile(path), bytes);

    for (const { name } of Deno.readDirSync(join(dir, "pods/.journal"))) {
      await Deno.rename(join(dir, "pods/.journal", name), join(dir, name));
    }
    await using caa = await startCaa(dir);
    assert.equal(await caa.stop(), 0);
  });
});

/** Checks an agent over its socket without end; `more` resolves after three more successes. */
async function startChecks(socket: string): Promise<{ more(): Promise<void>; stop(): Promise<void> }> {
  const client = createTtrpcClient(await dialUnix(socket));
  let isOver = false, count = 0;
  const running = (async () => {
    for (; !isOver; await delay(CHECK_MS)) {
      await client.call("grpc.Health", "Check", new Uint8Array(), { timeoutMs: 5_000 });
      count++;
    }
  })();
  running.catch(() => {}); // told by more() and stop()
  return {
    async more() {
      const wanted = count + 3;
      while (count < wanted) await Promise.race([delay(CHECK_MS), running]);
    },
    async stop() {
      isOver = true;
      await running;
      client.close();
      await client.closed;
    },
  };
}

async function until(condition: () => boolean, now: () => string): Promise<void> {
  for (const limit = performance.now() + HEAL_MS; !condition(); await delay(CHECK_MS)) {
    if (performance.now() > limit) throw new Error(`It did not heal: ${now()}`);
  }
}

/** Sandboxes in the journal, with their states. */
function rowsOf(dir: string): string[] {
  const database = new DatabaseSync(join(dir, "pods/.journal/journal.db"), { readOnly: true });
  try {
    return database.prepare("SELECT id, state FROM sandbox ORDER BY id").all().map(({ id, state }) => `${id} ${state}`);
  } finally {
    database.close();
  }
}

function instanceCount(dir: string): number {
  return [...Deno.readDirSync(join(dir, "pods/.process"))].length;
}
