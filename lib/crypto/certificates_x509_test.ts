// SPDX-License-Identifier: Apache-2.0
/** @peculiar/x509 reads what we write, and we read what it writes; the product itself uses the layer below it alone. */

import "reflect-metadata";
import assert from "node:assert/strict";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509ChainBuilder,
} from "@peculiar/x509";
import { createCertificateSet } from "./certificate_set.ts";
import { readSigningRequest } from "./certificates_request.ts";
import type { KeyType } from "./keys.ts";
import { parseSubject } from "./subject.ts";
import { parseAlternativeNames } from "./subject_alternative_name.ts";

const NAMES: readonly [type: string, value: string][] = [
  ["dns", "podvm-server"],
  ["ip", "10.0.0.1"],
  ["url", "spiffe://example.org/podvm"],
];

async function makeSet(keyType: KeyType) {
  const files = await createCertificateSet({
    names: parseAlternativeNames(NAMES.map(([, value]) => value)),
    subject: parseSubject("/O=Example/CN=prod"),
    keyType,
    days: 30,
    now: new Date(),
  });
  return (name: string) => new X509Certificate(files.find((file) => file.name === name)!.content);
}

// Longer RSA keys only take longer.
for (const keyType of ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"] as const) {
  Deno.test(`createCertificateSet() makes ${keyType} certificates that @peculiar/x509 chains, with what is in them`, async () => {
    const certificate = await makeSet(keyType);
    const ca = certificate("ca.crt"), server = certificate("tls.crt"), client = certificate("client.crt");
    assert.equal(await ca.isSelfSigned(), true);
    assert.deepEqual([ca.getExtension(BasicConstraintsExtension)?.ca, ca.subject], [true, "O=Example, CN=prod CA"]);
    for (const leaf of [server, client]) {
      assert.equal(await leaf.verify({ publicKey: ca }), true);
      assert.equal((await new X509ChainBuilder({ certificates: [ca] }).build(leaf)).length, 2);
      assert.equal(leaf.getExtension(BasicConstraintsExtension)?.ca, false);
      assert.ok(leaf.getExtension(KeyUsagesExtension)!.usages & KeyUsageFlags.digitalSignature);
    }
    const usages = (leaf: X509Certificate) => [...leaf.getExtension(ExtendedKeyUsageExtension)!.usages];
    assert.deepEqual([usages(server), usages(client)], [[ExtendedKeyUsage.serverAuth], [ExtendedKeyUsage.clientAuth]]);
    const names = server.getExtension(SubjectAlternativeNameExtension)!.names.items;
    assert.deepEqual(names.map(({ type, value }) => [type, value]), NAMES);

    const otherCa = (await makeSet(keyType))("ca.crt");
    assert.equal(await server.verify({ publicKey: otherCa }), false);
  });
}

Deno.test("readSigningRequest() reads a request that @peculiar/x509 made", async () => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "O=Example, CN=node3",
    keys: await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]),
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "node3.example" }])],
  });
  const { keyType, names } = readSigningRequest(request.toString("pem"), "it");
  assert.equal(keyType, "ecdsa-p256");
  assert.deepEqual(names().map(({ type, value }) => [type, value]), [["dns", "node3.example"]]);
});
