// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { fileError, removeUnfinished, writePrivateFile, writeTemporary } from "./private_file.ts";

Deno.test("writePrivateFile() writes mode 0600 whatever the umask, replaces, and leaves nothing beside it", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "key");
    const umask = Deno.umask(0);
    try {
      await writePrivateFile(path, "one");
    } finally {
      Deno.umask(umask);
    }
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await writePrivateFile(path, new Uint8Array([116, 119, 111]), { mode: 0o644 });
    assert.equal(await Deno.readTextFile(path), "two");
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o644);
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["key"]);
  }));

Deno.test("writePrivateFile() replaces a symbolic link instead of writing through it", () =>
  withTempDir(async (dir) => {
    const victim = join(dir, "victim"), path = join(dir, "key");
    await Deno.writeTextFile(victim, "precious");
    await Deno.symlink(victim, path);
    await writePrivateFile(path, "secret");
    assert.equal(await Deno.readTextFile(victim), "precious");
    assert.equal(await Deno.readTextFile(path), "secret");
    assert.ok((await Deno.lstat(path)).isFile);
  }));

Deno.test("writePrivateFile() leaves nothing when it cannot finish", () =>
  withTempDir(async (dir) => {
    await Deno.mkdir(join(dir, "taken/full"), { recursive: true });
    await assert.rejects(writePrivateFile(join(dir, "taken"), "x"), {
      kind: "config",
      message: /Cannot write ".*taken"/,
    });
    await assert.rejects(writePrivateFile(join(dir, "missing/key"), "x"), { kind: "config" });
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["taken"]);
  }));

Deno.test("removeUnfinished() removes what writing left when it was cut off, and nothing else", () =>
  withTempDir(async (dir) => {
    await removeUnfinished(join(dir, "missing"));
    await writeTemporary(join(dir, "key"), new Uint8Array(1), 0o600);
    await Deno.mkdir(join(dir, `.keys.${crypto.randomUUID()}.tmp/full`), { recursive: true });
    await Deno.writeTextFile(join(dir, `key.${crypto.randomUUID()}.old`), "");
    for (const name of ["key", "key.tmp", "notes.old"]) await Deno.writeTextFile(join(dir, name), "");
    await removeUnfinished(dir);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["key", "key.tmp", "notes.old"]);
  }));

Deno.test("fileError() tells a full disk from everything else", () => {
  const full = Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  const { kind, message, hint } = fileError('Cannot write "x"', full);
  assert.deepEqual([kind, message, hint], [
    "limit",
    'Cannot write "x": No space left on device',
    "make room on that file system",
  ]);
  assert.equal(fileError("Cannot write", new Deno.errors.PermissionDenied("no")).kind, "config");
});
