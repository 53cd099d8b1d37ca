// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { createSecretScan } from "./secret_scan.ts";
import { withTempDir } from "./temp_dir.ts";

const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const pem = key.export({ type: "pkcs8", format: "pem" }) as string;
const body = pem.split("\n")[1]!;

Deno.test("SecretScan finds keys in logs and in open files, by their words and by their bytes, and not in private ones", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(join(dir, "private"), { mode: 0o700 });
    await Deno.mkdir(join(dir, "open"));
    await Deno.writeTextFile(join(dir, "private/a.key"), pem, { mode: 0o600 });
    const scan = createSecretScan();
    assert.deepEqual(scan.addKeysBelow(dir), []);
    assert.deepEqual(scan.inFiles(dir), []);
    await Deno.writeTextFile(join(dir, "private/caa.log"), `key=${body}`, { mode: 0o600 });
    await Deno.writeTextFile(join(dir, "private/readable"), pem);
    await Deno.writeTextFile(join(dir, "open/b"), pem);
    const found = scan.inFiles(dir).map((line) => line.replace(`${dir}/`, "").replace(/the key of .*/, "the key"));
    assert.deepEqual(found.sort(), [
      "open/b shows a private key",
      "open/b shows the key",
      "private/caa.log shows the key",
    ]);
    assert.deepEqual(createSecretScan().addKeysBelow(join(dir, "open")).length, 1);
  });
});

Deno.test("SecretScan finds a secret on a command line and in an environment", async () => {
  await withTempDir(async (dir) => {
    const scan = createSecretScan();
    scan.add("the pull secret", "dXNlcjpwYXNzd29yZA");
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", "read x", dir, "dXNlcjpwYXNzd29yZA=="],
      env: { AUTH: "dXNlcjpwYXNzd29yZA" },
      stdin: "piped",
    }).spawn();
    try {
      assert.deepEqual(scan.inProcesses(dir), [
        `the command line of ${child.pid} shows the pull secret`,
        `the environment of ${child.pid} shows the pull secret`,
      ]);
    } finally {
      await child.stdin.close();
      await child.status;
    }
  });
});
