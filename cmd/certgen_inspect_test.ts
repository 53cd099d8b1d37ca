// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { makeKeys, makeOddCertificate } from "../lib/testing/odd_certificates.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

/** Runs `body` beside certificates that certgen made for podvm-server. */
async function withCertificates(body: (dir: string) => Promise<void>): Promise<void> {
  await withTempDir(async (root) => {
    const dir = join(root, "certs");
    const { code, stderr } = await runPeerctl(["certgen", "--san", "podvm-server", "--out-dir", dir]);
    assert.equal(code, 0, stderr);
    await body(dir);
  });
}

Deno.test("peerctl certgen inspect shows certificates and keys, and nothing of a key but its public half", () =>
  withCertificates(async (cwd) => {
    const text = await runPeerctl(["certgen", "inspect", "ca.crt", "tls.crt", "tls.key"], { cwd });
    assert.deepEqual([text.code, text.stderr], [0, ""]);
    for (const line of [/^tls\.crt:$/m, /^ +certificate +CN=podvm-server$/m, /29 days left$/m, /^ +private key$/m]) {
      assert.match(text.stdout, line);
    }
    const key = (await Deno.readTextFile(join(cwd, "tls.key"))).split("\n")[1]!;
    assert.ok(!text.stdout.includes(key) && !/PRIVATE/.test(text.stdout));
    const json = await runPeerctl(["certgen", "inspect", "tls.crt", "tls.key", "--output", "json"], { cwd });
    const { files, warnings } = JSON.parse(json.stdout);
    assert.equal(warnings, 0);
    const [certificate, privateKey] = files.map(({ items }: { items: unknown[] }) => items[0]);
    assert.deepEqual(Object.keys(certificate), [
      ...["kind", "subject", "issuer", "serial", "names", "isCa", "pathLength", "keyUsages", "extendedKeyUsages"],
      ...["key", "signature", "notBefore", "notAfter", "daysLeft", "sha256", "warnings"],
    ]);
    assert.deepEqual(privateKey, { kind: "private-key", key: certificate.key, warnings: [] });
  }));

Deno.test("peerctl certgen inspect warns of a key of another certificate and of one that others can read", () =>
  withCertificates(async (cwd) => {
    await Deno.chmod(join(cwd, "client.key"), 0o644);
    const args = ["certgen", "inspect", "tls.crt", "client.key"];
    const shown = await runPeerctl(args, { cwd });
    assert.equal(shown.code, 0);
    assert.match(shown.stdout, /warning +it belongs to none of the certificates/);
    assert.match(shown.stdout, /warning: it holds a private key, and others than its owner may use it \(mode 0644\)/);
    assert.equal((await runPeerctl([...args, "--fail-on-warning"], { cwd })).code, 1);
    const soon = ["certgen", "inspect", "tls.crt", "--fail-on-warning", "--warn-days"];
    assert.equal((await runPeerctl([...soon, "14"], { cwd })).code, 0);
    const late = await runPeerctl([...soon, "60"], { cwd });
    assert.equal(late.code, 1);
    assert.match(late.stdout, /warning +it expires in 29 days/);
  }));

Deno.test("peerctl certgen inspect says of each file that it cannot read what it is, and shows the others", () =>
  withCertificates(async (cwd) => {
    const write = (name: string, content: string) => Deno.writeTextFile(join(cwd, name), content);
    await write("empty", "");
    await write("blank", "\n\n");
    await write("notes", "dear diary");
    await write("id.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me");
    await write("enc.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    await write("ssh.key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    await write("cut.crt", (await Deno.readTextFile(join(cwd, "tls.crt"))).slice(0, 300));
    await write("long", "x".repeat((1 << 20) + 1));
    const cases: Array<[file: string, message: RegExp]> = [
      ["empty", /Cannot look into "empty": it is empty/],
      ["blank", /it is blank/],
      ["notes", /it is text without a PEM block/],
      ["id.pub", /it is a public key of SSH/],
      ["enc.key", /it is a private key encrypted with a pass phrase\n.*hint: .*openssl pkey/],
      ["ssh.key", /it is a private key in OpenSSH's own format/],
      ["cut.crt", /Cannot use "cut\.crt": PEM block 1 has no end/],
      ["long", /1048577 bytes, limit 1048576/],
      ["/dev/zero", /more than 1048576 bytes/],
      ["none", /there is no such file/],
      [".", /it is a directory/],
    ];
    const files = cases.map(([file]) => file);
    const { code, stdout, stderr } = await runPeerctl(["certgen", "inspect", "tls.crt", ...files], { cwd });
    assert.equal(code, 1);
    assert.match(stdout, /CN=podvm-server/);
    for (const [, message] of cases) assert.match(stderr, message);
    assert.equal(stderr.match(/error: /g)?.length, cases.length);
  }));

Deno.test("peerctl certgen inspect keeps control characters of a certificate away from the terminal", () =>
  withTempDir(async (cwd) => {
    const keys = makeKeys("ecdsa-p256");
    const der = makeOddCertificate({
      subject: "a\u001b[2Jb\nwarning: c",
      keys,
      signer: keys,
      notBefore: new Date(Date.now() - 1000),
      notAfter: new Date(Date.now() + 1_000_000),
      extensions: [],
    });
    await Deno.writeFile(join(cwd, "odd.der"), der);
    const { stdout } = await runPeerctl(["certgen", "inspect", "odd.der"], { cwd });
    assert.ok(stdout.includes("[2Jb") && !stdout.includes("\u001b"));
    assert.doesNotMatch(stdout, /^warning: c/m);
  }));
