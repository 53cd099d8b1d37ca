// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { loadTlsFiles } from "../lib/net/tls_files.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

const NAMES = ["ca.crt", "ca.key", "client.crt", "client.key", "tls.crt", "tls.key"];

function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

Deno.test("peerctl certgen writes six files that caa and apf take, keys 0600", () =>
  withTempDir(async (root) => {
    const dir = join(root, "certs");
    const { code, stdout, stderr } = await runPeerctl(["certgen", "--san", "podvm-server", "--out-dir", dir]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(namesIn(dir), NAMES);
    for (const name of NAMES) {
      assert.equal(Deno.statSync(join(dir, name)).mode! & 0o777, name.endsWith(".key") ? 0o600 : 0o644);
      assert.match(stdout, new RegExp(`^${name.replace(".", "\\.")} `, "m"));
    }
    assert.match(stderr, /-ca-cert-file ca\.crt -cert-file client\.crt -cert-key client\.key/);
    assert.doesNotMatch(stdout + stderr, /PRIVATE KEY/);
    const path = (name: string) => join(dir, name);
    for (const leaf of ["tls", "client"]) {
      loadTlsFiles({ caFile: path("ca.crt"), certFile: path(`${leaf}.crt`), keyFile: path(`${leaf}.key`) });
    }
  }));

Deno.test("peerctl certgen overwrites nothing without --force", () =>
  withTempDir(async (dir) => {
    await Deno.writeTextFile(join(dir, "client.key"), "precious");
    const args = ["certgen", "--san", "podvm-server", "--out-dir", dir];
    const refused = await runPeerctl(args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /client\.key exists\n.*--force/);
    assert.deepEqual(namesIn(dir), ["client.key"]);
    assert.equal(await Deno.readTextFile(join(dir, "client.key")), "precious");
    const { code, stdout } = await runPeerctl([...args, "--force", "--output", "json"]);
    assert.equal(code, 0);
    const { files } = JSON.parse(stdout);
    assert.deepEqual(files.map(({ name }: { name: string }) => name).sort(), NAMES);
    assert.match(files.find(({ name }: { name: string }) => name === "tls.crt").sha256, /^[0-9a-f]{64}$/);
    assert.deepEqual(namesIn(dir), NAMES);
    assert.match(await Deno.readTextFile(join(dir, "client.key")), /PRIVATE KEY/);
  }));

Deno.test("peerctl certgen refuses bad input in one clear line each, with exit code 2 and nothing written", () =>
  withTempDir(async (root) => {
    const dir = join(root, "certs");
    const cases: Array<[string[], RegExp]> = [
      [[], /--san/],
      [["--san", ""], /it is empty/],
      [["--san", "a b"], /no DNS label/],
      [["--san", "https://example.org"], /SPIFFE/],
      [["--san", "a", "--days", "0"], /--days/],
      [["--san", "a", "--days", "3651"], /--days/],
      [["--san", "a", "--key-type", "dsa"], /--key-type/],
      [["--san", "a", "--subject", "/XY=1"], /"XY" is not one of/],
      [["--san", "a", "--out-dir", ""], /--out-dir/],
      [["--san", "a b", "--san", "c d", "--subject", "/XY=1"], /"a b"[^]*"c d"[^]*"XY" is not one of/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await runPeerctl(["certgen", "--out-dir", dir, ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, "");
    }
    assert.deepEqual(namesIn(root), []);
  }));

Deno.test("peerctl certgen --print-config shows the defaults of flags whose default depends on others", async () => {
  const { code, stdout, stderr } = await runPeerctl(["certgen", "--san", "a", "--print-config"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^san +\["a"\] +flag\n(?:.*\n)*days +30 +default\n(?:.*\n)*key-type +"ecdsa-p256" +default$/m);
});
