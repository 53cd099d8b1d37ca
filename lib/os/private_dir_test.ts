// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { createPrivateDir } from "./private_dir.ts";

Deno.test("createPrivateDir() makes all directories and takes others' rights away from the last", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a/b/c");
    await createPrivateDir(path);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
    await Deno.chmod(path, 0o755);
    await createPrivateDir(path);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
    await Deno.chmod(path, 0o1777);
    await assert.rejects(createPrivateDir(path), { kind: "config", message: /everybody shares it/ });
    await Deno.writeTextFile(join(dir, "file"), "");
    await assert.rejects(createPrivateDir(join(dir, "file")), { kind: "config" });
  }));
