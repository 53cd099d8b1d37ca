// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { keptEnvironment, spawnDetached } from "./detached_process.ts";

Deno.test("keptEnvironment() keeps harmless names only", () => {
  const env = {
    PATH: "/bin",
    HOME: "/root",
    DENO_DIR: "/d",
    TZ: "",
    AWS_SECRET_ACCESS_KEY: "s3cret",
    NOTIFY_SOCKET: "n",
  };
  assert.deepEqual(keptEnvironment(env), { PATH: "/bin", HOME: "/root", DENO_DIR: "/d" });
});

Deno.test("spawnDetached() says which program cannot be started", () => {
  assert.throws(() => spawnDetached(["/nonexistent/program"], { env: {}, cwd: "/" }), {
    kind: "config",
    message: /Cannot start "\/nonexistent\/program"/,
  });
});
