// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { peerPath, requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import { createCertificateSet } from "./certificate_set.ts";
import { createAuthority } from "./certificates.ts";
import { KEY_TYPES, type KeyType } from "./keys.ts";
import { parseAlternativeNames } from "./subject_alternative_name.ts";
import { parseSubject } from "./subject.ts";

const openssl = requirePeer("openssl");
const DAY_MS = 24 * 3_600_000;
const SANS = ["podvm-server", "*.example.com", "10.0.0.1", "2001:db8::1", "spiffe://example.org/podvm"];

async function run(args: readonly string[], stdin = ""): Promise<string> {
  const child = new Deno.Command(peerPath("openssl"), {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** What openssl prints of a certificate, as one line per fact. */
async function textOf(pem: string): Promise<string> {
  return (await run(["x509", "-noout", "-text"], pem)).replace(/ *\n {16,}/g, " ").replace(/ +$/gm, "")
    // openssl 3.0 and 3.2 differ in this.
    .replaceAll(" = ", "=");
}

async function makeSet(keyType: KeyType, now = new Date()) {
  const files = await createCertificateSet({
    names: parseAlternativeNames(SANS),
    subject: parseSubject("/C=DE/O=Exämple/CN=prod"),
    keyType,
    days: 30,
    now,
  });
  return { files, text: (name: string) => files.find((file) => file.name === name)!.content };
}

for (const keyType of KEY_TYPES) {
  Deno.test({
    name:
      `createCertificateSet() makes ${keyType} certificates that openssl accepts strictly, with the right extensions`,
    ...openssl,
    fn: () =>
      withTempDir(async (dir) => {
        const { files, text } = await makeSet(keyType);
        for (const { name, content } of files) await Deno.writeTextFile(join(dir, name), content);
        const verify = (file: string, ...args: string[]) =>
          run(["verify", "-x509_strict", "-CAfile", join(dir, "ca.crt"), ...args, join(dir, file)]);
        await verify("ca.crt");
        await verify("tls.crt", "-purpose", "sslserver", "-verify_hostname", "podvm-server");
        await verify("tls.crt", "-purpose", "sslserver", "-verify_ip", "2001:db8::1");
        await verify("client.crt", "-purpose", "sslclient", "-verify_hostname", "podvm_client");
        await assert.rejects(verify("client.crt", "-purpose", "sslserver"));
        await assert.rejects(verify("tls.crt", "-purpose", "sslclient"));
        for (const name of ["ca", "tls", "client"]) await run(["pkey", "-noout", "-check"], text(`${name}.key`));

        const usage = keyType.startsWith("rsa") ? "Digital Signature, Key Encipherment" : "Digital Signature";
        const ca = await textOf(text("ca.crt"));
        assert.match(ca, /Basic Constraints: critical CA:TRUE, pathlen:0\n/);
        assert.match(ca, /X509v3 Key Usage: critical Certificate Sign, CRL Sign\n/);
        assert.match(ca, /Subject Key Identifier: [0-9A-F:]{59}\n/);
        assert.match(ca, /Subject: C=DE, O=Ex\\C3\\A4mple, CN=prod CA\n/);
        const server = await textOf(text("tls.crt"));
        assert.match(server, /Basic Constraints: critical CA:FALSE\n/);
        assert.match(server, new RegExp(`X509v3 Key Usage: critical ${usage}\n`));
        assert.match(server, /Extended Key Usage: TLS Web Server Authentication\n/);
        assert.match(server, /Subject Key Identifier: [0-9A-F:]{59}\n/);
        assert.match(
          server,
          /Alternative Name: DNS:podvm-server, DNS:\*\.example\.com, IP Address:10\.0\.0\.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe:\/\/example\.org\/podvm\n/,
        );
        assert.match(server, /Subject: C=DE, O=Ex\\C3\\A4mple, CN=prod\n/);
        const client = await textOf(text("client.crt"));
        assert.match(client, /Extended Key Usage: TLS Web Client Authentication\n/);
        assert.match(client, /Alternative Name: DNS:podvm_client\n/);
        const id = (certificate: string, which: string) =>
          new RegExp(`${which} Key Identifier: ([0-9A-F:]+)`).exec(certificate)?.[1];
        for (const leaf of [server, client]) assert.equal(id(leaf, "Authority"), id(ca, "Subject"));
      }),
  });
}

Deno.test("createCertificateSet() begins five minutes back, ends after the days, and never repeats a serial number", async () => {
  const now = new Date("2026-05-04T03:02:01.987Z");
  const serials = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const { files, text } = await makeSet("ecdsa-p256", now);
    for (const name of ["ca.crt", "tls.crt", "client.crt"]) {
      const { validFromDate, validToDate, serialNumber } = new X509Certificate(text(name));
      assert.equal(validFromDate.toISOString(), "2026-05-04T02:57:01.000Z");
      assert.equal(validToDate.toISOString(), "2026-06-03T03:02:01.000Z");
      // 16 bytes of which the first is not zero; Deno leaves out a leading zero digit.
      assert.match(serialNumber, /^[0-9A-F]{31,32}$/);
      serials.add(serialNumber);
    }
    assert.deepEqual(files.filter(({ isPrivateKey }) => isPrivateKey).map(({ name }) => name), [
      "ca.key",
      "tls.key",
      "client.key",
    ]);
  }
  assert.equal(serials.size, 60);
});

Deno.test("createCertificateSet() reports the fingerprint of what it made, and keys that belong to it", async () => {
  const { files, text } = await makeSet("ecdsa-p256");
  for (const name of ["ca", "tls", "client"]) {
    const certificate = new X509Certificate(text(`${name}.crt`));
    const reported = files.find((file) => file.name === `${name}.crt`)?.certificate;
    assert.equal(reported?.sha256, certificate.fingerprint256.replaceAll(":", "").toLowerCase());
    assert.equal(reported?.notAfter.getTime(), certificate.validToDate.getTime());
    assert.ok(certificate.checkPrivateKey(createPrivateKey(text(`${name}.key`))));
    assert.match(
      text(`${name}.key`),
      /^-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END PRIVATE KEY-----\n$/,
    );
  }
});

Deno.test("createCertificateSet() finds a common name when the subject has none", async () => {
  const commonName = async (san: string) => {
    const files = await createCertificateSet({
      names: parseAlternativeNames([san]),
      subject: [],
      keyType: "ecdsa-p256",
      days: 1,
      now: new Date(),
    });
    return files.find(({ name }) => name === "tls.crt")?.certificate?.subject;
  };
  assert.equal(await commonName("a.example"), "CN=a.example");
  assert.equal(await commonName(`${"a".repeat(60)}.example`), "CN=podvm-server");
  assert.equal(await commonName("spiffe://example.org/x"), "CN=podvm-server");
});

Deno.test("issue() never outlives the authority", async () => {
  const now = new Date("2026-05-04T00:00:00Z");
  const common = { keyType: "ecdsa-p256", now, subject: [{ type: "CN", value: "x" }] } as const;
  const authority = await createAuthority({ ...common, validMs: 2 * DAY_MS });
  const leaf = await authority.issue({
    ...common,
    validMs: 5 * DAY_MS,
    usage: "server",
    names: parseAlternativeNames(["x"]),
  });
  assert.equal(leaf.notAfter.toISOString(), "2026-05-06T00:00:00.000Z");
  assert.equal(new X509Certificate(leaf.cert).validToDate.getTime(), authority.notAfter.getTime());
});

Deno.test({
  name: "createAutomaticTls() makes certificates like upstream's",
  ...openssl,
  fn: async () => {
    const automatic = await createAutomaticTls();
    const server = await automatic.issueServer("podvm-pod-1234");
    const ca = await textOf(automatic.ca.cert);
    assert.match(ca, /Subject: O=agent-protocol-forwarder\n/);
    assert.match(ca, /CA:TRUE/);
    const client = await textOf(automatic.client.cert);
    assert.match(client, /Issuer: O=cloud-api-adaptor\n/);
    assert.match(client, /Subject: O=cloud-api-adaptor\n/);
    assert.match(client, /Basic Constraints: critical CA:FALSE\n/);
    assert.match(client, /Key Usage: critical Digital Signature, Certificate Sign\n/);
    assert.match(client, /Extended Key Usage: TLS Web Client Authentication\n/);
    const leaf = await textOf(server.cert);
    assert.match(leaf, /Subject: CN=podvm-pod-1234\n/);
    assert.match(leaf, /Alternative Name: DNS:podvm-pod-1234\n/);
    assert.match(leaf, /Extended Key Usage: TLS Web Server Authentication\n/);
    for (const pem of [automatic.ca.cert, automatic.client.cert, server.cert]) {
      const { validFromDate, validToDate } = new X509Certificate(pem);
      const days = (validToDate.getTime() - Date.now()) / DAY_MS;
      assert.ok(days > 729.9 && days <= 730, `${days} days`);
      assert.ok(Date.now() - validFromDate.getTime() >= 5 * 60_000);
    }
    for (const key of [automatic.client.key, server.key]) {
      assert.equal(createPrivateKey(key).asymmetricKeyDetails?.namedCurve, "prime256v1");
    }
  },
});
