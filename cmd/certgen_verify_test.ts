// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

async function makeSet(dir: string): Promise<void> {
  const { code, stderr } = await runPeerctl(["certgen", "--san", "podvm-server", "--out-dir", dir]);
  assert.equal(code, 0, stderr);
}

Deno.test("peerctl certgen verify says valid with its chain, and every reason against it with exit 1", () =>
  withTempDir(async (root) => {
    const cwd = join(root, "certs");
    await makeSet(cwd);
    const verify = (...args: string[]) => runPeerctl(["certgen", "verify", ...args], { cwd });
    const valid = await verify("--ca", "ca.crt", "tls.crt", "--name", "podvm-server", "--usage", "server");
    assert.deepEqual([valid.code, valid.stderr], [0, ""]);
    assert.match(valid.stdout, /^tls\.crt: valid for server podvm-server\n.*CN=podvm-server,.*\n.*CN=podvm-server CA,/);
    const nameless = await verify("--ca", "ca.crt", "client.crt", "--usage", "client");
    assert.equal(nameless.code, 0);
    assert.match(nameless.stderr, /no name was checked/);
    const bad = await verify("--ca", "ca.crt", "--name", "other", "client.crt");
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /^client\.crt: not valid for server other\n/);
    assert.match(bad.stdout, /it is not for other, but for podvm_client/);
    assert.match(bad.stdout, /it is not made for servers: its extended key usage is clientAuth/);
    const json = await verify("--ca", "ca.crt", "--name", "other", "client.crt", "--output", "json");
    const { valid: isValid, reasons, usage, names } = JSON.parse(json.stdout);
    assert.deepEqual([json.code, isValid, usage, names], [1, false, "server", ["other"]]);
    assert.deepEqual(reasons.map(({ code }: { code: string }) => code), ["wrong-name", "wrong-usage"]);
  }));

Deno.test("peerctl certgen verify takes intermediates from either file, and an intermediate as anchor when told so", () =>
  withTempDir(async (cwd) => {
    const { makeOddAuthority, makeOddLeaf } = await import("../lib/testing/verify_cases.ts");
    const { encodePem } = await import("../lib/crypto/pem.ts");
    const root = makeOddAuthority({ subject: "Root" }), middle = makeOddAuthority({ subject: "Middle", parent: root });
    const write = (name: string, ...ders: Uint8Array[]) =>
      Deno.writeTextFile(join(cwd, name), ders.map((der) => encodePem("CERTIFICATE", der)).join(""));
    const leaf = makeOddLeaf(middle);
    await write("root.crt", root.der);
    await write("middle.crt", middle.der);
    await write("leaf.crt", leaf);
    await write("chain.crt", leaf, middle.der);
    const code = async (...args: string[]) => (await runPeerctl(["certgen", "verify", ...args], { cwd })).code;
    assert.equal(await code("--ca", "root.crt", "chain.crt"), 0);
    assert.equal(await code("--ca", "root.crt", "--intermediates", "middle.crt", "leaf.crt"), 0);
    assert.equal(await code("--ca", "root.crt", "--ca", "middle.crt", "leaf.crt"), 0);
    assert.equal(await code("--ca", "root.crt", "leaf.crt"), 1);
    assert.equal(await code("--ca", "middle.crt", "leaf.crt"), 1);
    assert.equal(await code("--ca", "middle.crt", "--partial-chain", "leaf.crt"), 0);
  }));

Deno.test("peerctl certgen verify refuses files that are none, and names that no peer has", () =>
  withTempDir(async (root) => {
    const cwd = join(root, "certs");
    await makeSet(cwd);
    const cases: Array<[args: string[], code: number, message: RegExp]> = [
      [["--ca", "ca.key", "tls.crt"], 1, /Cannot use CA file "ca\.key": it is a private key/],
      [["--ca", "ca.crt", "tls.key"], 1, /Cannot use certificate file "tls\.key": it is a private key/],
      [["--ca", "/dev/null", "tls.crt"], 1, /Cannot use CA file "\/dev\/null": it is empty/],
      [["--ca", "none", "tls.crt"], 1, /Cannot read CA file "none": there is no such file/],
      [["tls.crt"], 2, /--ca/],
      [["--ca", "ca.crt"], 2, /FILE/],
      [["--ca", "ca.crt", "--name", "*.example.com", "tls.crt"], 2, /a peer has a name without "\*"/],
      [["--ca", "ca.crt", "--name", "a b", "tls.crt"], 2, /no DNS label/],
      [["--ca", "ca.crt", "--usage", "peer", "tls.crt"], 2, /--usage/],
    ];
    for (const [args, code, message] of cases) {
      const found = await runPeerctl(["certgen", "verify", ...args], { cwd });
      assert.deepEqual([found.code, found.stdout], [code, ""], found.stderr);
      assert.match(found.stderr, message);
    }
  }));
