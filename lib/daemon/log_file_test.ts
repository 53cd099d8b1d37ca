// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { withTempDir } from "../testing/temp_dir.ts";
import { openLogFile } from "./log_file.ts";

Deno.test("openLogFile() puts a full file aside as .1 and keeps one of them", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/relay.log`;
    using log = openLogFile(path, 10);
    for (const line of ["one\n", "two\n", "three\n", "four\n", "five\n"]) log.write(line);
    assert.equal(await Deno.readTextFile(path), "four\nfive\n");
    assert.equal(await Deno.readTextFile(`${path}.1`), "three\n");
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name).sort(), ["relay.log", "relay.log.1"]);
  });
});

Deno.test("openLogFile() goes on with the file there is, and counts what is in it", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/relay.log`;
    await Deno.writeTextFile(path, "older 123\n");
    using log = openLogFile(path, 12);
    log.write("new\n");
    assert.equal(await Deno.readTextFile(path), "new\n");
    assert.equal(await Deno.readTextFile(`${path}.1`), "older 123\n");
  });
});

Deno.test("openLogFile() keeps a line that alone is too long", async () => {
  await withTempDir(async (dir) => {
    using log = openLogFile(`${dir}/relay.log`, 4);
    log.write("longer than four\n");
    assert.equal(await Deno.readTextFile(`${dir}/relay.log`), "longer than four\n");
  });
});

Deno.test("openLogFile() makes a file that only its owner reads", async () => {
  await withTempDir(async (dir) => {
    using _log = openLogFile(`${dir}/relay.log`, 100);
    assert.equal((await Deno.stat(`${dir}/relay.log`)).mode! & 0o777, 0o600);
  });
});

Deno.test("openLogFile() refuses a path that cannot be opened", () => {
  assert.throws(() => openLogFile("/nonexistent/relay.log", 100), {
    kind: "config",
    message: 'Cannot open log file "/nonexistent/relay.log"',
  });
});

Deno.test("LogFile.write() loses a line rather than throw, and goes on when it can", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/logs`);
    const path = `${dir}/logs/relay.log`;
    using log = openLogFile(path, 4);
    log.write("one\n");
    await Deno.rename(`${dir}/logs`, `${dir}/away`);
    log.write("lost\n");
    await Deno.mkdir(`${dir}/logs`);
    log.write("two\n");
    assert.equal(await Deno.readTextFile(path), "two\n");
  });
});
