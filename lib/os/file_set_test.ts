// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { checkFileSet, writeFileSet } from "./file_set.ts";

const files = [
  { name: "a.crt", content: "new a", mode: 0o644 },
  { name: "b.key", content: "new b", mode: 0o600 },
  { name: "c.key", content: "new c", mode: 0o600 },
];

function contents(dir: string): Record<string, string> {
  return Object.fromEntries(
    [...Deno.readDirSync(dir)].filter(({ isFile }) => isFile).map((
      { name },
    ) => [name, Deno.readTextFileSync(join(dir, name))]),
  );
}

const allNew = { "a.crt": "new a", "b.key": "new b", "c.key": "new c" };

Deno.test("writeFileSet() makes the directory and writes every file with its mode, whatever the umask", () =>
  withTempDir(async (root) => {
    const dir = join(root, "deep/certs");
    const umask = Deno.umask(0o077);
    try {
      await writeFileSet(dir, files, { replace: false });
    } finally {
      Deno.umask(umask);
    }
    assert.deepEqual(contents(dir), allNew);
    assert.equal(Deno.statSync(dir).mode! & 0o777, 0o700);
    assert.equal(Deno.statSync(join(dir, "a.crt")).mode! & 0o777, 0o644);
    assert.equal(Deno.statSync(join(dir, "b.key")).mode! & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(join(root, "deep"))].map(({ name }) => name), ["certs"]);
  }));

Deno.test("writeFileSet() writes into a directory that is there, and replaces only when told", () =>
  withTempDir(async (dir) => {
    await writeFileSet(dir, files.map((file) => ({ ...file, content: "old" })), { replace: false });
    await assert.rejects(writeFileSet(dir, files, { replace: false }), {
      kind: "state",
      message: `Cannot write to "${dir}": a.crt, b.key, c.key exist`,
    });
    assert.deepEqual(new Set(Object.values(contents(dir))), new Set(["old"]));
    await writeFileSet(dir, files, { replace: true });
    assert.deepEqual(contents(dir), allNew);
  }));

Deno.test("writeFileSet() takes everything back when one file cannot get its name", () =>
  withTempDir(async (dir) => {
    await Deno.writeTextFile(join(dir, "a.crt"), "old a");
    await Deno.mkdir(join(dir, "c.key"));
    await assert.rejects(writeFileSet(dir, files, { replace: true }), {
      kind: "config",
      message: /c\.key": it is a directory/,
    });
    assert.deepEqual(contents(dir), { "a.crt": "old a" });
    await Deno.remove(join(dir, "a.crt"));
    await assert.rejects(writeFileSet(dir, files, { replace: false }), { kind: "state", message: /c\.key exists/ });
    assert.deepEqual(contents(dir), {});
  }));

Deno.test("writeFileSet() lets one of several writers win, whole", () =>
  withTempDir(async (root) => {
    for (const dir of [root, join(root, "new")]) {
      const writers = ["1", "2", "3"].map((content) =>
        writeFileSet(dir, files.map((file) => ({ ...file, content })), { replace: false })
      );
      const results = await Promise.allSettled(writers);
      const winner = results.findIndex(({ status }) => status === "fulfilled");
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
      assert.deepEqual(Object.values(contents(dir)), Array(3).fill(String(winner + 1)));
    }
  }));

Deno.test("writeFileSet() has writers that replace wait for each other: the files are all of one", () =>
  withTempDir(async (dir) => {
    await writeFileSet(dir, files, { replace: false });
    for (let round = 0; round < 20; round++) {
      const writers = ["1", "2", "3"].map((content) =>
        writeFileSet(dir, files.map((file) => ({ ...file, content })), { replace: true })
      );
      let isDone = false;
      const written = Promise.all(writers).finally(() => isDone = true);
      // Whoever looks meanwhile finds every file.
      while (!isDone) await Promise.all(files.map(({ name }) => Deno.stat(join(dir, name))));
      await written;
      const left = contents(dir);
      assert.deepEqual(Object.keys(left).sort(), files.map(({ name }) => name));
      assert.equal(new Set(Object.values(left)).size, 1, JSON.stringify(left));
    }
  }));

Deno.test("writeFileSet() removes what a writer of the same files has left that was killed", () =>
  withTempDir(async (dir) => {
    const left = (name: string, end: string) => `${name}.${crypto.randomUUID()}.${end}`;
    const other = left("other.key", "tmp");
    for (const name of [left("b.key", "tmp"), left("b.key", "old"), other]) {
      await Deno.writeTextFile(join(dir, name), "");
    }
    await writeFileSet(dir, files, { replace: true });
    assert.deepEqual(contents(dir), { ...allNew, [other]: "" });
  }));

Deno.test("writeFileSet() replaces links instead of writing through them", () =>
  withTempDir(async (root) => {
    const victim = join(root, "victim"), dir = join(root, "certs");
    await Deno.writeTextFile(victim, "precious");
    await Deno.mkdir(dir);
    await Deno.symlink(victim, join(dir, "b.key"));
    await assert.rejects(writeFileSet(dir, files, { replace: false }), { kind: "state" });
    await writeFileSet(dir, files, { replace: true });
    assert.equal(await Deno.readTextFile(victim), "precious");
    assert.deepEqual(contents(dir), allNew);
  }));

Deno.test("checkFileSet() refuses what is no directory", () =>
  withTempDir(async (root) => {
    await Deno.writeTextFile(join(root, "file"), "");
    await Deno.symlink("nowhere", join(root, "dangling"));
    for (const name of ["file", "dangling"]) {
      await assert.rejects(checkFileSet(join(root, name), ["a"]), { kind: "config", message: /Cannot write to/ });
      await assert.rejects(writeFileSet(join(root, name), files, { replace: true }), { kind: "config" });
    }
    await checkFileSet(join(root, "missing"), ["a"]);
  }));
