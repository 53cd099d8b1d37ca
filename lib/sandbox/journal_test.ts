// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { contentOf, expectHistory, writeHistory } from "../testing/journal_history.ts";
import { createSeededRandom } from "../testing/seeded_random.ts";
import { startScript } from "../testing/peerctl.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { openJournal } from "./journal.ts";

/** Sizes in a write-ahead log, in bytes (SQLite file format, section 4.1), with SQLite's default page. */
const WAL_HEADER_BYTES = 32, FRAME_BYTES = 24 + 4096;

const WRITER = new URL("../testing/journal_writer.ts", import.meta.url).pathname;

/** Kills of the writer, and how long after its first write, in milliseconds: several checkpoints fit in. */
const KILLS = 25, LONGEST_MS = 120;

Deno.test("a writer that is killed at any moment leaves every write it reported, and at most the one after it", async () => {
  await withTempDir(async (parent) => {
    const dir = join(parent, "journal"), expected = expectHistory(), random = createSeededRandom(1);
    let done = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await using writer = startScript(WRITER, [dir, String(done + 1)]);
      await writer.waitForLine(/^\d+$/);
      await delay(random.next() * LONGEST_MS);
      await writer.kill();
      const reported = Number(writer.lines.at(-1));
      using journal = await openJournal(dir);
      const content = contentOf(journal);
      // The end of a number may be missing, but then that write was done, too.
      assert.ok(reported > done, `the writer went on after write ${done}`);
      const written = [reported, reported + 1].find((n) => content === expected.after(n));
      assert.ok(written !== undefined, `after write ${reported} and a kill the journal holds ${content.slice(0, 500)}`);
      done = written;
    }
    assert.ok(done > KILLS, `${done} writes`);
  });
});

/** Runs `body` with the two files of a journal that is open, and what it held after each of its writes. */
async function withLiveJournal(
  writes: number,
  body: (o: {
    main: Uint8Array;
    wal: Uint8Array;
    states: readonly string[];
    /** Opens a journal made of these two files; its content. */
    read(main: Uint8Array, wal: Uint8Array): Promise<string>;
  }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (parent) => {
    const dir = join(parent, "live");
    const states: string[] = [];
    using journal = await openJournal(dir);
    states.push(contentOf(journal));
    for (let n = 1; n <= writes; n++) {
      writeHistory(journal, n);
      states.push(contentOf(journal));
    }
    const [main, wal] = await Promise.all(["", "-wal"].map((end) => Deno.readFile(join(dir, `journal.db${end}`))));
    let copies = 0;
    const read = async (main: Uint8Array, wal: Uint8Array) => {
      const copy = join(parent, `copy-${copies++}`);
      await Deno.mkdir(copy);
      await Deno.writeFile(join(copy, "journal.db"), main);
      await Deno.writeFile(join(copy, "journal.db-wal"), wal);
      try {
        using opened = await openJournal(copy);
        return contentOf(opened);
      } finally {
        await Deno.remove(copy, { recursive: true });
      }
    };
    await body({ main: main!, wal: wal!, states, read });
  });
}

/** Without a checkpoint, and in the middle between the second and the third. */
for (const writes of [12, 40]) {
  Deno.test(`a journal whose log ends anywhere holds what was true after one of its ${writes} writes`, () =>
    withLiveJournal(writes, async ({ main, wal, states, read }) => {
      assert.equal(await read(main, wal), states.at(-1));
      let last = -1;
      const frames = (wal.length - WAL_HEADER_BYTES) / FRAME_BYTES;
      assert.ok(frames > 10, `${frames} frames`);
      for (let frame = 0; frame <= frames; frame++) {
        const end = WAL_HEADER_BYTES + frame * FRAME_BYTES;
        for (const cut of frame < frames ? [end, end + 24, end + 2000] : [end]) {
          const at = states.indexOf(await read(main, wal.slice(0, cut)));
          assert.ok(at >= last, `cut at ${cut} of ${wal.length}: state ${at} after ${last}`);
          last = at;
        }
      }
      assert.equal(last, writes);
    }));

  Deno.test(`a journal with a damaged byte in its log holds what was true after one of its ${writes} writes`, () =>
    withLiveJournal(writes, async ({ main, wal, states, read }) => {
      const random = createSeededRandom(writes);
      for (let round = 0; round < 100; round++) {
        const damaged = wal.slice(), at = random.below(wal.length);
        damaged[at]! ^= 1 << random.below(8);
        assert.ok(states.includes(await read(main, damaged)), `byte ${at} of ${wal.length}`);
      }
    }));
}

Deno.test("openJournal() says of a damaged file what to do, and leaves it as it is", () =>
  withLiveJournal(200, async ({ main, read }) => {
    const none = new Uint8Array(0);
    const damages: Record<string, (bytes: Uint8Array) => void> = {
      "its first page": (bytes) => bytes.fill(0x5a, 0, 4096),
      "the page of a table": (bytes) => bytes.fill(0x5a, 4096, 8192),
      "its layout number": (bytes) => bytes.fill(0, 60, 64),
    };
    for (const [what, damage] of Object.entries(damages)) {
      const damaged = main.slice();
      damage(damaged);
      await assert.rejects(read(damaged, none), (error: { kind: string; hint: string; message: string }) => {
        assert.equal(error.kind, "config", what);
        assert.match(error.message, /^Cannot (open|read) journal ".*journal\.db": /, what);
        assert.match(error.hint, /^move journal\.db.* elsewhere and start caa/, `${what}: ${error.message}`);
        return true;
      });
    }
    await assert.rejects(read(main.slice(0, main.length - 4096), none), { kind: "config" });
  }));

Deno.test("together() writes all or nothing", async () => {
  await withTempDir(async (parent) => {
    using journal = await openJournal(join(parent, "journal"));
    writeHistory(journal, 3);
    const before = contentOf(journal);
    assert.throws(() =>
      journal.together(() => {
        writeHistory(journal, 4);
        throw new Error("no");
      }), { message: "no" });
    assert.equal(contentOf(journal), before);
    assert.ok(journal.isNew);
  });
});
