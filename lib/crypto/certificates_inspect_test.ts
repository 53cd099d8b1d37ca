// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { createCertificateSet } from "./certificate_set.ts";
import { inspectBytes, type InspectedCertificate, strayKeys } from "./certificates_inspect.ts";
import { encodePem } from "./pem.ts";
import { parseAlternativeNames } from "./subject_alternative_name.ts";
import {
  alternativeNames,
  basicConstraints,
  EXTENDED,
  extendedKeyUsage,
  keyUsage,
  makeKeys,
  SHA1_ECDSA,
  USAGE,
} from "../testing/odd_certificates.ts";
import { leafExtensions, makeOddAuthority, makeOddLeaf } from "../testing/verify_cases.ts";

const root = makeOddAuthority({ subject: "Root" });
const now = new Date();
const inDays = (days: number) => new Date(now.getTime() + days * 24 * 3_600_000);

async function inspect(content: string | Uint8Array<ArrayBuffer>) {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return await inspectBytes(bytes, '"file"', { now, warnDays: undefined });
}

const pem = (...ders: Uint8Array[]) => ders.map((der) => encodePem("CERTIFICATE", der)).join("");

Deno.test("inspectBytes() shows all of a certificate, and has nothing against certgen's own", async () => {
  const files = await createCertificateSet({
    names: parseAlternativeNames(["podvm-server", "10.0.0.7", "2001:db8::7", "spiffe://example.org/a"]),
    subject: [{ type: "C", value: "DE" }, { type: "O", value: "Exämple" }],
    keyType: "ecdsa-p256",
    days: 30,
    now,
  });
  const content = (name: string) => files.find((file) => file.name === name)!.content;
  for (const name of files.map((file) => file.name)) {
    const { items, warnings } = await inspect(content(name));
    assert.deepEqual([warnings, items.length, items[0]!.warnings], [[], 1, []], name);
  }
  const [item] = (await inspect(content("tls.crt"))).items as [InspectedCertificate];
  assert.match(item.serial, /^[1-9a-f][0-9a-f]{29,31}$/);
  assert.match(item.key!.sha256, /^[0-9a-f]{64}$/);
  assert.deepEqual({ ...item, serial: "", key: item.key!.type, sha256: "", notBefore: "", notAfter: "" }, {
    kind: "certificate",
    subject: "C=DE, O=Exämple, CN=podvm-server",
    issuer: "C=DE, O=Exämple, CN=podvm-server CA",
    serial: "",
    names: [
      { type: "dns", value: "podvm-server" },
      { type: "ip", value: "10.0.0.7" },
      { type: "ip", value: "2001:db8::7" },
      { type: "uri", value: "spiffe://example.org/a" },
    ],
    isCa: false,
    pathLength: null,
    keyUsages: ["digitalSignature"],
    extendedKeyUsages: ["serverAuth"],
    key: "ecdsa-p256",
    signature: "ecdsa-with-SHA256",
    notBefore: "",
    notAfter: "",
    daysLeft: 29,
    sha256: "",
    warnings: [],
  });
  const [key] = (await inspect(content("tls.key"))).items;
  assert.deepEqual(key, { kind: "private-key", key: item.key, warnings: [] });
});

Deno.test("inspectBytes() warns of what peers will refuse", async () => {
  const leaf = (changed: Parameters<typeof leafExtensions>[1], left: string[] = []) =>
    makeOddLeaf(root, { extensions: leafExtensions(root.keys, changed, left) });
  const cases: Array<[Uint8Array<ArrayBuffer>, RegExp]> = [
    [makeOddLeaf(root, { notAfter: inDays(-2) }), /^it expired on/],
    [makeOddLeaf(root, { notBefore: inDays(2) }), /^it is not valid before/],
    [makeOddLeaf(root, { notBefore: inDays(-300), notAfter: inDays(29) }), /^it expires in 2[89] days/],
    [leaf([], ["2.5.29.17"]), /^it has no alternative name/],
    [leaf([], ["2.5.29.37"]), /^it does not say what it is for/],
    [leaf([extendedKeyUsage("1.3.6.1.5.5.7.3.3")]), /^it is made neither for servers nor for clients: codeSigning/],
    [leaf([keyUsage(USAGE.keyEncipherment)]), /^its key usage does not allow TLS/],
    [leaf([], ["2.5.29.19"]), /^it does not say whether it is a CA/],
    [makeOddLeaf(root, { signature: SHA1_ECDSA }), /made with ecdsa-with-SHA1/],
    [makeOddLeaf(root, { keys: makeKeys("rsa-1024") }), /1024 bits/],
    [
      makeOddAuthority({ subject: "CA", more: [alternativeNames([{ dNSName: "a" }])] }).der,
      /carries names as a server/,
    ],
    [leaf([basicConstraints(true), keyUsage(1), extendedKeyUsage(EXTENDED.server)]), /does not let it sign/],
  ];
  for (const [der, warning] of cases) {
    const { items: [item] } = await inspect(pem(der));
    assert.ok(item!.warnings.some((one) => warning.test(one)), `${warning}: ${item!.warnings.join("; ")}`);
  }
});

Deno.test("inspectBytes() warns of a chain that is out of order, and not of a bundle of CAs", async () => {
  const middle = makeOddAuthority({ subject: "Middle", parent: root });
  const leaf = makeOddLeaf(middle);
  const warnings = async (...ders: Uint8Array[]) => (await inspect(pem(...ders))).warnings;
  assert.deepEqual(await warnings(leaf, middle.der), []);
  assert.deepEqual(await warnings(leaf, middle.der, root.der), []);
  assert.deepEqual(await warnings(root.der, middle.der), []);
  assert.match((await warnings(middle.der, leaf)).join(), /a CA comes first/);
  assert.match((await warnings(leaf, root.der, middle.der)).join(), /certificate 1 is not followed by its issuer/);
});

Deno.test("inspectBytes() takes one certificate in DER", async () => {
  assert.equal((await inspect(makeOddLeaf(root))).items[0]!.kind, "certificate");
});

Deno.test("strayKeys() finds the private keys that belong to nothing there", async () => {
  const keys = makeKeys("ecdsa-p256");
  const keyPem = String(keys.privateKey.export({ type: "pkcs8", format: "pem" }));
  const own = await inspect(pem(makeOddLeaf(root, { keys })));
  const other = await inspect(pem(makeOddLeaf(root)));
  const key = await inspect(keyPem);
  assert.deepEqual([...strayKeys([own, key])], []);
  assert.deepEqual([...strayKeys([other, key])], key.items);
  assert.deepEqual([...strayKeys([key])], []);
});

Deno.test("inspectBytes() quotes nothing of a broken key", async () => {
  const body = "MIGHAgEAMBMGByqGSM49SECRETSECRETSECRET==";
  for (const text of [body, `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`]) {
    await assert.rejects(inspect(text), (error: Error) => {
      assert.doesNotMatch(`${error.message} ${error.cause ?? ""}`, /SECRET/);
      return true;
    });
  }
});
