// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { makeOpensslCa, type OpensslCa } from "../testing/openssl_authority.ts";
import { peerPath, requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createCertificateSet } from "./certificate_set.ts";
import { createAuthority } from "./certificates.ts";
import { readAuthority, readRenewedAuthority } from "./certificates_authority.ts";
import { parseAlternativeNames } from "./subject_alternative_name.ts";

const openssl = requirePeer("openssl");
const DAY_MS = 24 * 3_600_000;
const usages = ["server", "client"] as const;

function needsNow() {
  return { now: new Date(), usages };
}

function filesOf(key: OpensslCa, certificates: readonly OpensslCa[]) {
  const text = (path: string) => Deno.readTextFileSync(path);
  return {
    cert: certificates.map(({ cert }) => text(cert)).join("some words between\n"),
    key: text(key.key),
    certName: "CA file",
    keyName: "CA key file",
  };
}

function opensslVerify(ca: string, chain: string, leaf: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(peerPath("openssl"), {
    args: ["verify", "-x509_strict", "-CAfile", ca, "-untrusted", chain, ...args, leaf],
  }).outputSync();
  const decoder = new TextDecoder();
  return success ? "OK" : decoder.decode(stdout) + decoder.decode(stderr);
}

/** Lays the files of a set out and returns their paths. */
async function lay(dir: string, authority: ReturnType<typeof readAuthority>) {
  const files = await createCertificateSet({
    names: parseAlternativeNames(["podvm-server"]),
    subject: [],
    keyType: "ecdsa-p256",
    days: 30,
    now: new Date(),
    authority,
  });
  await Deno.mkdir(dir, { recursive: true });
  for (const { name, content } of files) await Deno.writeTextFile(join(dir, name), content);
  return { names: files.map(({ name }) => name), path: (name: string) => join(dir, name) };
}

Deno.test({
  name:
    "readAuthority() finds the CA of the key and its chain in any order; leaves carry what is between, ca.crt the root",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const root = await makeOpensslCa(dir, "root", { keyType: "rsa-2048", days: 9 });
      const upper = await makeOpensslCa(dir, "upper", { keyType: "ecdsa-p384", issuer: root, days: 7 });
      const lower = await makeOpensslCa(dir, "lower", { keyType: "ed25519", issuer: upper, days: 8 });
      const other = await makeOpensslCa(dir, "other");
      for (const order of [[lower, upper, root], [root, lower, upper], [other, upper, root, lower]]) {
        const authority = readAuthority(filesOf(lower, order), needsNow());
        const { names, path } = await lay(join(dir, `set${order.indexOf(lower)}`), authority);
        assert.deepEqual(names, ["ca.crt", "tls.crt", "tls.key", "client.crt", "client.key"]);
        assert.equal(await Deno.readTextFile(path("ca.crt")), await Deno.readTextFile(root.cert));
        for (const leaf of ["tls.crt", "client.crt"]) {
          const text = await Deno.readTextFile(path(leaf));
          const [, ...above] = text.split(/(?=-----BEGIN)/);
          assert.deepEqual(above, [await Deno.readTextFile(lower.cert), await Deno.readTextFile(upper.cert)]);
          assert.equal(opensslVerify(path("ca.crt"), path(leaf), path(leaf)), "OK");
          // The shortest-lived of the chain decides.
          const end = new X509Certificate(await Deno.readTextFile(upper.cert)).validToDate;
          assert.equal(new X509Certificate(text).validToDate.getTime(), end.getTime());
        }
        assert.deepEqual(authority.notes.length, order.includes(other) ? 1 : 0, String(authority.notes));
      }
    }),
});

Deno.test({
  name: "readAuthority() without a root makes the topmost CA the anchor and says so",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const root = await makeOpensslCa(dir, "root");
      const middle = await makeOpensslCa(dir, "middle", { issuer: root });
      const authority = readAuthority(filesOf(middle, [middle]), needsNow());
      assert.match(authority.notes.join("\n"), /has no self-signed root: ca\.crt holds O=openssl, CN=middle/);
      const { path } = await lay(join(dir, "set"), authority);
      const [leaf, chain] = [path("tls.crt"), path("tls.crt")];
      assert.equal(opensslVerify(path("ca.crt"), chain, leaf, "-partial_chain"), "OK");
      assert.match(opensslVerify(path("ca.crt"), chain, leaf), /unable to get issuer certificate/);
      // Those who have the root verify it, too.
      assert.equal(opensslVerify(root.cert, chain, leaf), "OK");
    }),
});

Deno.test({
  name: "readAuthority() refuses CAs by which no verifier would accept a leaf, each with its reason",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const basic = "basicConstraints=critical,CA:TRUE", sign = "keyUsage=critical,keyCertSign";
      const root = await makeOpensslCa(dir, "root", { extensions: [`${basic},pathlen:0`, sign] });
      const make = (name: string, extensions: string[], issuer?: OpensslCa) =>
        makeOpensslCa(dir, name, { extensions, ...(issuer && { issuer }) });
      const below = await make("below", [basic, sign], root);
      const noCa = await make("no-ca", ["basicConstraints=critical,CA:FALSE"]);
      const bare = await make("bare", ["subjectKeyIdentifier=hash"]);
      const noSign = await make("no-sign", [basic, "keyUsage=critical,digitalSignature"]);
      const mails = await make("mails", [basic, sign, "extendedKeyUsage=emailProtection"]);
      const servers = await make("servers", [basic, sign, "extendedKeyUsage=serverAuth"]);
      const cases: Array<[ReturnType<typeof filesOf>, RegExp]> = [
        [
          filesOf(below, [below, root]),
          /path length 0 does not allow the 1 CA below it \(subject O=openssl, CN=root\)/,
        ],
        [filesOf(noCa, [noCa]), /it is no CA/],
        [filesOf(bare, [bare]), /it is no CA/],
        [filesOf(noSign, [noSign]), /key usage does not allow to sign/],
        [filesOf(mails, [mails]), /does not allow server certificates/],
        [filesOf(servers, [servers]), /does not allow client certificates/],
        [filesOf(root, [below]), /CA key file: it does not belong to CA file \(O=openssl, CN=below\)/],
        [{ ...filesOf(root, [root]), cert: "" }, /CA file/],
        [{ ...filesOf(root, [root]), key: "" }, /CA key file: it holds no PEM private key/],
      ];
      for (const [files, message] of cases) {
        assert.throws(() => readAuthority(files, needsNow()), { kind: "config", message });
      }
      // OpenSSL's own defaults: Go takes such a CA, OpenSSL with -x509_strict does not.
      const plain = await make("plain", [basic]);
      assert.deepEqual(readAuthority(filesOf(plain, [plain]), needsNow()).notes, [
        "strict verifiers may refuse the CA O=openssl, CN=plain: its key usage does not let it sign certificates (keyCertSign)",
      ]);
      assert.deepEqual(readAuthority(filesOf(root, [root]), needsNow()).notes, []);
      // Alone it may sign: what is not given cannot be checked.
      readAuthority(filesOf(below, [below]), needsNow());
      readAuthority(filesOf(servers, [servers]), { ...needsNow(), usages: ["server"] });

      const encrypted = join(dir, "encrypted.key");
      const { success } = new Deno.Command(peerPath("openssl"), {
        args: ["pkey", "-in", root.key, "-aes256", "-passout", "pass:secret", "-out", encrypted],
      }).outputSync();
      assert.ok(success);
      assert.throws(() => readAuthority(filesOf({ ...root, key: encrypted }, [root]), needsNow()), {
        kind: "config",
        message: /encrypted with a pass phrase/,
        hint: /openssl pkey/,
      });
    }),
});

/** A CA of ours that began `days` ago and lasts `lifetime` days. */
async function aged(days: number, lifetime: number) {
  const { cert, key } = await createAuthority({
    subject: [{ type: "CN", value: "aged" }],
    keyType: "ecdsa-p256",
    now: new Date(Date.now() - days * DAY_MS),
    validMs: lifetime * DAY_MS,
  });
  return { cert, key, certName: "CA file", keyName: "CA key file" };
}

Deno.test("readAuthority() refuses a CA that is not valid now", async () => {
  const [late, early] = [await aged(10, 9), await aged(-1, 9)];
  assert.throws(() => readAuthority(late, needsNow()), {
    kind: "config",
    message: /the CA expired on 20/,
  });
  assert.throws(() => readAuthority(early, needsNow()), { message: /the CA is not valid before 20/ });
});

Deno.test("readAuthority() issues nothing that begins before the CA", async () => {
  const now = new Date();
  const files = await aged(0, 9);
  const authority = readAuthority(files, { now, usages });
  const leaf = await authority.issue({
    subject: [{ type: "CN", value: "x" }],
    keyType: "ecdsa-p256",
    now: new Date(now.getTime() - DAY_MS),
    validMs: 3 * DAY_MS,
    usage: "server",
    names: parseAlternativeNames(["x"]),
  });
  assert.equal(
    new X509Certificate(leaf.cert).validFromDate.getTime(),
    new X509Certificate(files.cert).validFromDate.getTime(),
  );
});

Deno.test({
  name: "readRenewedAuthority() gives a CA a new end and keeps key and name: old and new files verify each other",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const old = await aged(20, 30);
      const until = new Date(Date.now() + 30 * DAY_MS);
      const kept = readRenewedAuthority(old, { ...needsNow(), until: new Date(Date.now() + 5 * DAY_MS) });
      assert.deepEqual([kept.isRenewed, kept.cert], [false, old.cert]);
      const oldSet = await lay(join(dir, "old"), kept);
      const renewed = readRenewedAuthority(old, { ...needsNow(), until });
      assert.ok(renewed.isRenewed && renewed.notAfter >= new Date(until.getTime() - 1000));
      const newSet = await lay(join(dir, "new"), renewed);
      for (const [ca, leaf] of [[oldSet, newSet], [newSet, oldSet], [newSet, newSet]] as const) {
        assert.equal(opensslVerify(ca.path("ca.crt"), leaf.path("tls.crt"), leaf.path("tls.crt")), "OK");
      }
      const [before, after] = [old.cert, renewed.anchor].map((pem) => new X509Certificate(pem));
      assert.notEqual(before!.serialNumber, after!.serialNumber);
      assert.ok(before!.publicKey.equals(after!.publicKey));

      // An expired one, too: nothing that was issued is lost.
      assert.ok((readRenewedAuthority(await aged(40, 30), { ...needsNow(), until })).isRenewed);
      const root = await makeOpensslCa(dir, "root");
      const middle = await makeOpensslCa(dir, "middle", { issuer: root });
      // Only who has the root's key can renew this one.
      const below = readRenewedAuthority(filesOf(middle, [middle, root]), { ...needsNow(), until });
      assert.ok(!below.isRenewed);
      // One that names its own serial number as its issuer's, as openssl.cnf had it for long: the new one has another.
      const named = await makeOpensslCa(dir, "named", {
        extensions: [
          ...["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"],
          ...["subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid:always,issuer:always"],
        ],
      });
      const again = readRenewedAuthority(filesOf(named, [named]), { ...needsNow(), until });
      assert.ok(again.isRenewed);
      const set = await lay(join(dir, "again"), again);
      assert.equal(opensslVerify(set.path("ca.crt"), set.path("tls.crt"), set.path("tls.crt")), "OK");

      const noCa = await makeOpensslCa(dir, "no-ca", { extensions: ["basicConstraints=critical,CA:FALSE"] });
      assert.throws(() => readRenewedAuthority(filesOf(noCa, [noCa]), { ...needsNow(), until }), {
        message: /it is no CA/,
      });
    }),
});
