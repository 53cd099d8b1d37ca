// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { loadTlsFiles } from "../lib/net/tls_files.ts";
import { makeOpensslCa, makeOpensslRequest } from "../lib/testing/openssl_authority.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { peerPath, requirePeer } from "../lib/testing/peers.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

const openssl = requirePeer("openssl");

function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

function textsIn(dir: string): Record<string, string> {
  return Object.fromEntries(namesIn(dir).map((name) => [name, Deno.readTextFileSync(join(dir, name))]));
}

async function certgen(...args: string[]) {
  const { code, stdout, stderr } = await runPeerctl(["certgen", ...args]);
  assert.equal(code, 0, stderr);
  return { stdout, stderr };
}

/** Whether both ends could start with these files, and openssl agrees that they verify each other. */
function assertPair(dir: string, leaf: "tls" | "client", ca = join(dir, "ca.crt")): void {
  const path = (name: string) => join(dir, name);
  loadTlsFiles({ caFile: ca, certFile: path(`${leaf}.crt`), keyFile: path(`${leaf}.key`) });
  assertVerifies(ca, path(`${leaf}.crt`), leaf === "tls" ? "sslserver" : "sslclient");
}

function assertVerifies(ca: string, cert: string, purpose: string): void {
  if (openssl.ignore) return;
  const { success, stderr } = new Deno.Command(peerPath("openssl"), {
    args: ["verify", "-x509_strict", "-CAfile", ca, "-untrusted", cert, "-purpose", purpose, cert],
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test("peerctl certgen --ca-cert and --server-only or --client-only write what is missing, by the same CA", () =>
  withTempDir(async (root) => {
    const dir = join(root, "certs"), ca = ["--ca-cert", join(dir, "ca.crt"), "--ca-key", join(dir, "ca.key")];
    await certgen("--san", "podvm-server", "--server-only", "--out-dir", dir);
    assert.deepEqual(namesIn(dir), ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    const before = textsIn(dir);
    // Into the same folder: the ca.crt that is there is the one that would be written.
    const { stdout, stderr } = await certgen("--client-only", ...ca, "--out-dir", dir, "--days", "40");
    assert.doesNotMatch(stdout, /ca\.(crt|key)/);
    assert.match(stderr, /the certificates end with their CA, on 20.*, not after 40 days/);
    assert.deepEqual(namesIn(dir), ["ca.crt", "ca.key", "client.crt", "client.key", "tls.crt", "tls.key"]);
    assert.deepEqual({ ...textsIn(dir), ...before }, textsIn(dir));
    const other = join(root, "node2");
    await certgen("--client-only", "--san", "node2.example", ...ca, "--key-type", "ed25519", "--out-dir", other);
    assert.deepEqual(namesIn(other), ["ca.crt", "client.crt", "client.key"]);
    assert.match(new X509Certificate(textsIn(other)["client.crt"]!).subjectAltName!, /^DNS:node2\.example$/);
    for (const [where, leaf] of [[dir, "tls"], [dir, "client"], [other, "client"]] as const) assertPair(where, leaf);

    const occupied = await runPeerctl(["certgen", "--client-only", ...ca, "--out-dir", dir]);
    assert.deepEqual([occupied.code, occupied.stdout], [1, ""]);
    assert.match(occupied.stderr, /client\.crt, client\.key exist/);
    await Deno.chmod(join(dir, "ca.key"), 0o640);
    const open = await certgen("--client-only", ...ca, "--out-dir", join(root, "node3"));
    assert.match(open.stderr, /warning: CA key file ".*ca\.key": others than its owner may use it \(mode 0640\)/);
  }));

Deno.test({
  name: "peerctl certgen signs a request, by an intermediate CA, and writes no key",
  ...openssl,
  fn: () =>
    withTempDir(async (root) => {
      const top = await makeOpensslCa(root, "top");
      const below = await makeOpensslCa(root, "below", { issuer: top });
      await Deno.writeTextFile(below.cert, await Deno.readTextFile(top.cert), { append: true });
      const csr = await makeOpensslRequest(root, "node", {
        extensions: ["subjectAltName=DNS:podvm-server,IP:10.0.0.7", "basicConstraints=CA:FALSE"],
      });
      const dir = join(root, "signed");
      const args = ["--csr", csr, "--ca-cert", below.cert, "--ca-key", below.key, "--out-dir", dir, "--days", "1"];
      const { stderr } = await certgen(...args, "--server-only", "--copy-sans", "--san", "more.example");
      assert.match(
        stderr,
        /signed for CN=\S+, names more\.example, podvm-server, 10\.0\.0\.7, key of type ecdsa-p256\n/,
      );
      assert.deepEqual(namesIn(dir), ["ca.crt", "tls.crt"]);
      assert.equal(textsIn(dir)["ca.crt"], await Deno.readTextFile(top.cert));
      assertVerifies(join(dir, "ca.crt"), join(dir, "tls.crt"), "sslserver");
      const certificate = new X509Certificate(textsIn(dir)["tls.crt"]!);
      assert.equal(certificate.subject, "CN=node");
      assert.equal(certificate.ca, false);

      const evil = await makeOpensslRequest(root, "evil", { extensions: ["basicConstraints=critical,CA:TRUE"] });
      const refused = await runPeerctl(["certgen", ...args, "--csr", evil, "--client-only", "--san", "x"]);
      assert.deepEqual([refused.code, refused.stdout], [1, ""]);
      assert.match(refused.stderr, /Cannot sign request file ".*evil\.csr": it asks to become a CA/);
      assert.deepEqual(namesIn(dir), ["ca.crt", "tls.crt"]);
      const nameless = await makeOpensslRequest(root, "nameless");
      const empty = await runPeerctl(["certgen", ...args, "--csr", nameless, "--client-only", "--copy-sans"]);
      assert.equal(empty.code, 1);
      assert.match(empty.stderr, /it asks for no names/);
    }),
});

Deno.test("peerctl certgen --renew keeps names, subjects, kinds of key and the CA, and makes new keys", () =>
  withTempDir(async (root) => {
    const dir = join(root, "certs");
    await certgen(
      ...["--san", "podvm-server", "--san", "10.0.0.7", "--subject", "/O=Example", "--key-type", "ecdsa-p384"],
      ...["--days", "90", "--out-dir", dir],
    );
    const old = textsIn(dir);
    const { stderr } = await certgen("--renew", dir);
    assert.match(stderr, /renewed ca\.crt: until \S+, with the same key/);
    assert.match(stderr, /renewed tls\.crt: until \S+ instead of \S+, for podvm-server, 10\.0\.0\.7/);
    const renewed = textsIn(dir);
    assert.deepEqual(namesIn(dir), Object.keys(old));
    assert.equal(renewed["ca.key"], old["ca.key"]);
    for (const leaf of ["tls", "client"]) {
      const [before, after] = [old, renewed].map((texts) => new X509Certificate(texts[`${leaf}.crt`]!));
      for (const field of ["subject", "subjectAltName", "issuer"] as const) assert.equal(after![field], before![field]);
      assert.equal(after!.publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1");
      assert.ok(!after!.publicKey.equals(before!.publicKey));
      assert.ok(after!.validToDate >= before!.validToDate);
    }
    assert.equal(Deno.statSync(join(dir, "tls.key")).mode! & 0o777, 0o600);
    // One side has the new files, the other still the old ones.
    await Deno.writeTextFile(join(root, "old.crt"), old["ca.crt"]!);
    await Deno.writeTextFile(join(root, "old-tls.crt"), old["tls.crt"]!);
    for (const leaf of ["tls", "client"] as const) {
      assertPair(dir, leaf);
      assertPair(dir, leaf, join(root, "old.crt"));
    }
    assertVerifies(join(dir, "ca.crt"), join(root, "old-tls.crt"), "sslserver");

    // The CA lasts longer: it stays as it is.
    await certgen("--renew", dir, "--days", "5", "--client-only");
    const last = textsIn(dir);
    for (const name of ["ca.crt", "tls.crt", "tls.key"]) assert.equal(last[name], renewed[name], name);
    assert.notEqual(last["client.key"], renewed["client.key"]);

    await Deno.rename(join(dir, "ca.key"), join(root, "safe.key"));
    for (const path of [join(root, "nowhere"), join(root, "safe.key")]) {
      const { code, stderr } = await runPeerctl(["certgen", "--renew", path]);
      assert.deepEqual([code, stderr], [1, `peerctl certgen: error: Cannot renew "${path}": it is no directory\n`]);
    }
    const bare = await runPeerctl(["certgen", "--renew", dir]);
    assert.deepEqual([bare.code, textsIn(dir)["tls.crt"]], [1, last["tls.crt"]]);
    assert.match(bare.stderr, /there is no ca\.key in it\n.*--ca-cert and --ca-key/);
    await certgen("--renew", dir, "--ca-cert", join(dir, "ca.crt"), "--ca-key", join(root, "safe.key"), "--days", "5");
    assert.deepEqual(namesIn(dir), ["ca.crt", "client.crt", "client.key", "tls.crt", "tls.key"]);
    assertPair(dir, "tls");

    await Deno.writeTextFile(join(dir, "ca.key"), "that of another CA");
    const away = ["--ca-cert", join(dir, "ca.crt"), "--ca-key", join(root, "safe.key"), "--client-only"];
    await Deno.writeTextFile(join(dir, "ca.crt"), `with words before\n${last["ca.crt"]}`);
    const mixed = await certgen(...away, "--days", "5", "--force", "--out-dir", dir);
    assert.match(mixed.stderr, /warning: the ca\.key in .* was there before/);
    await Deno.remove(join(dir, "ca.key"));

    await Deno.writeTextFile(join(dir, "client.crt"), "broken");
    const before = textsIn(dir);
    const damaged = await runPeerctl([
      "certgen",
      "--renew",
      dir,
      "--ca-cert",
      join(dir, "ca.crt"),
      "--ca-key",
      join(root, "safe.key"),
    ]);
    assert.equal(damaged.code, 1);
    assert.match(damaged.stderr, /client\.crt/);
    assert.deepEqual(textsIn(dir), before);
  }));

Deno.test("peerctl certgen --output k8s-secret prints Secrets and writes nothing, unless told where", () =>
  withTempDir(async (root) => {
    const { code, stdout, stderr } = await runPeerctl(
      ["certgen", "--san", "podvm-server", "--output", "k8s-secret", "--namespace", "coco"],
      { cwd: root },
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(namesIn(root), []);
    assert.match(stderr, /hold private keys[^]*the key of the CA is not kept/);
    assert.doesNotMatch(stderr, /PRIVATE KEY/);
    const secrets = parseAllDocuments(stdout).map((document) => document.toJS());
    assert.deepEqual(secrets.map(({ kind, type, metadata, data }) => [kind, type, metadata, Object.keys(data)]), [
      ["Secret", "Opaque", { name: "certs-for-tls", namespace: "coco" }, ["ca.crt", "client.crt", "client.key"]],
      [
        ...["Secret", "kubernetes.io/tls"],
        { name: "certs-for-tls-server", namespace: "coco" },
        ["ca.crt", "tls.crt", "tls.key"],
      ],
    ]);
    const text = (base64: string) => new TextDecoder().decode(Uint8Array.fromBase64(base64));
    for (const { data } of secrets) {
      for (const [name, value] of Object.entries<string>(data)) await Deno.writeTextFile(join(root, name), text(value));
    }
    for (const leaf of ["tls", "client"] as const) assertPair(root, leaf);

    const dir = join(root, "kept");
    const kept = await certgen("--san", "a", "--output", "k8s-secret", "--client-only", "--out-dir", dir);
    assert.deepEqual(namesIn(dir), ["ca.crt", "ca.key", "client.crt", "client.key"]);
    assert.doesNotMatch(kept.stderr, /not kept/);
    const [only, none] = parseAllDocuments(kept.stdout);
    assert.equal(text(only!.toJS().data["client.key"]), textsIn(dir)["client.key"]);
    assert.equal(none, undefined);
  }));

Deno.test("peerctl certgen --output cert-manager asks for the certificates that it would make, and makes none", () =>
  withTempDir(async (root) => {
    const run = async (...args: string[]) => {
      const all = ["certgen", "--san", "podvm-server", "--san", "10.0.0.7", "--output", "cert-manager", ...args];
      const { code, stdout, stderr } = await runPeerctl(all, { cwd: root });
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout, /BEGIN/);
      return parseAllDocuments(stdout).map((document) => document.toJS());
    };
    const [server, client, ...rest] = await run(
      "--issuer",
      "ClusterIssuer/corp",
      "--key-type",
      "rsa-3072",
      "--days",
      "90",
    );
    assert.deepEqual(rest, []);
    assert.deepEqual(server.spec, {
      secretName: "certs-for-tls-server",
      duration: "2160h",
      commonName: "podvm-server",
      dnsNames: ["podvm-server"],
      ipAddresses: ["10.0.0.7"],
      usages: ["digital signature", "key encipherment", "server auth"],
      privateKey: { algorithm: "RSA", size: 3072, encoding: "PKCS8", rotationPolicy: "Always" },
      issuerRef: { group: "cert-manager.io", kind: "ClusterIssuer", name: "corp" },
    });
    assert.deepEqual([client.spec.dnsNames, client.spec.usages.at(-1)], [["podvm_client"], "client auth"]);
    const own = await run("--key-type", "ed25519", "--subject", "/C=DE/O=Example/CN=prod");
    assert.deepEqual(own.map(({ kind, metadata }) => `${kind} ${metadata.name}`), [
      "Issuer certs-for-tls-self-signed",
      "Certificate certs-for-tls-ca",
      "Issuer certs-for-tls-ca",
      "Certificate certs-for-tls-server",
      "Certificate certs-for-tls",
    ]);
    const { spec } = own[3];
    assert.deepEqual(spec.privateKey, { algorithm: "Ed25519", encoding: "PKCS8", rotationPolicy: "Always" });
    assert.deepEqual([spec.commonName, spec.subject], ["prod", { countries: ["DE"], organizations: ["Example"] }]);
    assert.deepEqual(spec.issuerRef, { group: "cert-manager.io", kind: "Issuer", name: "certs-for-tls-ca" });
    assert.deepEqual(namesIn(root), []);
  }));

Deno.test("peerctl certgen refuses flags that do not go together, all at once, with exit code 2 and nothing written", () =>
  withTempDir(async (root) => {
    const cases: Array<[string, RegExp]> = [
      ["--san a --server-only --client-only", /--server-only with --client-only/],
      ["--san a --ca-cert x", /--ca-cert without --ca-key/],
      ["--san a --ca-key x", /--ca-key without --ca-cert/],
      ["--csr x --san a --server-only", /without a CA: --ca-cert and --ca-key are missing/],
      ["--csr x --san a --ca-cert x --ca-key x", /without --server-only or --client-only/],
      ["--csr x --ca-cert x --ca-key x --client-only", /without names: give --san, or --copy-sans/],
      ["--csr x --san a --ca-cert x --ca-key x --client-only --key-type rsa-2048", /--key-type with --csr/],
      ["--csr x --san a --ca-cert x --ca-key x --client-only --output k8s-secret", /there is no key to put/],
      ["--san a --copy-sans", /--copy-sans without --csr/],
      ["--renew x --san a --subject /O=x", /--san with --renew[^]*--subject with --renew/],
      ["--renew x --out-dir y", /--out-dir with --renew/],
      ["--san a --output cert-manager --out-dir y --force", /--out-dir with --output cert-manager[^]*--force with/],
      ["--san a --issuer x", /--issuer without --output cert-manager/],
      ["--san a --output cert-manager --issuer Pod/x", /--issuer "Pod\/x": it is no issuer/],
      ["--san a --output k8s-secret --namespace A/b", /--namespace: it is no name/],
      ["--san a --output k8s-secret --secret-name A_b", /--secret-name: it must have/],
      ["--server-only", /--san is missing/],
      ["--san a --output yaml", /must be one of text, json, table, k8s-secret, cert-manager/],
    ];
    for (const [line, message] of cases) {
      const { code, stdout, stderr } = await runPeerctl(["certgen", ...line.split(" ")], { cwd: root });
      assert.deepEqual([code, stdout], [2, ""], `${line}: ${stderr}`);
      assert.match(stderr, message);
    }
    assert.deepEqual(namesIn(root), []);
  }));
