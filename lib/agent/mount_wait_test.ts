// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { mountPoints, waitForMountPoint } from "./mount_wait.ts";

const line = (point: string) => `36 35 98:0 / ${point} rw,noatime shared:1 - ext4 /dev/sda rw\n`;

Deno.test("mountPoints() reads the kernel's list, and its escapes", () => {
  assert.deepEqual(
    mountPoints(line("/") + line("/with\\040space\\011tab\\134backslash") + line("/ü")),
    new Set(["/", "/with space\ttab\\backslash", "/ü"]),
  );
  assert.ok(mountPoints(Deno.readTextFileSync("/proc/self/mountinfo")).has("/proc"));
});

Deno.test("waitForMountPoint() resolves at once when the path is mounted", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    await Deno.writeTextFile(mountInfoPath, line("/v"));
    await waitForMountPoint({ path: "/v", mountInfoPath, signal: new AbortController().signal });
  }));

Deno.test("waitForMountPoint() resolves when the path appears in the list, and takes no prefix for it", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    await Deno.writeTextFile(mountInfoPath, line("/v/deeper") + line("/"));
    let done = false;
    const wait = waitForMountPoint({ path: "/v", mountInfoPath, signal: new AbortController().signal })
      .then(() => done = true);
    await Deno.readTextFile(mountInfoPath);
    assert.equal(done, false);
    // As the kernel does it: the list is whole at every moment.
    await Deno.writeTextFile(`${mountInfoPath}.new`, line("/v"));
    await Deno.rename(`${mountInfoPath}.new`, mountInfoPath);
    await wait;
  }));

Deno.test("waitForMountPoint() rejects with the signal's reason", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    await Deno.writeTextFile(mountInfoPath, line("/"));
    const abort = new AbortController();
    const wait = waitForMountPoint({ path: "/v", mountInfoPath, signal: abort.signal });
    const reason = new Error("gone");
    abort.abort(reason);
    await assert.rejects(wait, reason);
  }));
