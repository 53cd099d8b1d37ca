// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { loadTlsFiles } from "../lib/net/tls_files.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

/** Runs `body` with check-pair in a folder that certgen wrote. */
async function withPair(
  body: (dir: string, check: (...args: string[]) => ReturnType<typeof runPeerctl>) => Promise<void>,
): Promise<void> {
  await withTempDir(async (root) => {
    const cwd = join(root, "certs");
    const { code, stderr } = await runPeerctl(["certgen", "--san", "podvm-server", "--out-dir", cwd]);
    assert.equal(code, 0, stderr);
    await body(cwd, (...args) => runPeerctl(["certgen", "check-pair", ...args], { cwd }));
  });
}

Deno.test("peerctl certgen check-pair takes what certgen wrote, for apf and for caa", () =>
  withPair(async (_dir, check) => {
    const apf = await check("--name", "podvm-server", ".");
    assert.deepEqual([apf.code, apf.stderr], [0, ""]);
    assert.match(apf.stdout, /^apf can use tls\.crt \(CN=podvm-server\), until 2\d{3}-[^\n]*\n$/);
    const caa = JSON.parse((await check("--for", "caa", ".", "--output", "json")).stdout);
    assert.deepEqual(caa.files, { caFile: "ca.crt", certFile: "client.crt", keyFile: "client.key" });
    assert.deepEqual([caa.for, caa.certificate.subject, caa.warnings], ["caa", "CN=podvm_client", []]);
  }));

Deno.test("peerctl certgen check-pair refuses in the very words of apf and caa at start", () =>
  withPair(async (dir, check) => {
    await Deno.writeTextFile(join(dir, "empty"), "");
    const cases: Array<{ caFile: string; certFile: string; keyFile: string }> = [
      { caFile: "ca.crt", certFile: "tls.crt", keyFile: "client.key" },
      { caFile: "", certFile: "tls.crt", keyFile: "tls.key" },
      { caFile: "empty", certFile: "tls.crt", keyFile: "tls.key" },
      { caFile: "ca.crt", certFile: "tls.key", keyFile: "tls.key" },
      { caFile: "ca.crt", certFile: "tls.crt", keyFile: "tls.crt" },
      { caFile: "ca.crt", certFile: "none", keyFile: "tls.key" },
    ];
    for (const { caFile, certFile, keyFile } of cases) {
      const at = (file: string) => file === "" ? "" : join(dir, file);
      let words = "";
      try {
        loadTlsFiles({ caFile: at(caFile), certFile: at(certFile), keyFile: at(keyFile) });
      } catch (error) {
        words = (error as Error).message;
      }
      assert.notEqual(words, "");
      const args = ["--ca-cert-file", at(caFile), "--cert-file", at(certFile), "--cert-key", at(keyFile)];
      const { code, stdout, stderr } = await check(...args);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.ok(stderr.includes(`error: ${words}`), `${stderr} does not say: ${words}`);
    }
  }));

Deno.test("peerctl certgen check-pair refuses what no peer takes, and warns of what this one's peer may not", () =>
  withPair(async (dir, check) => {
    const pair = ["--cert-file", "tls.crt", "--cert-key", "tls.key"];
    const cases: Array<[args: string[], code: number, message: RegExp]> = [
      [["--ca-cert-file", "ca.crt", ...pair, "--for", "caa"], 1, /tls\.crt": it is not made for clients/],
      [["--name", "other", "."], 1, /tls\.crt": it is not for other, but for podvm-server/],
      [["--ca-cert-file", "ca.crt", "--cert-file", "ca.crt", "--cert-key", "ca.key"], 1, /it is a CA/],
      [["--ca-cert-file", "client.crt", ...pair], 0, /warning: .* refuses "CN=podvm-server": its issuer/],
      [["--ca-cert-file", "client.crt", ...pair, "--fail-on-warning"], 1, /warning: /],
      [[], 2, /Cannot check files: none are given/],
      [["--cert-file", "tls.crt", "."], 2, /a folder and single files at once/],
    ];
    for (const [args, code, message] of cases) {
      const found = await check(...args);
      assert.equal(found.code, code, found.stderr);
      assert.match(found.stdout + found.stderr, message);
    }
    await Deno.chmod(join(dir, "tls.key"), 0o640);
    assert.match((await check(".")).stdout, /warning: private key file "tls\.key": others .* \(mode 0640\)/);
  }));
