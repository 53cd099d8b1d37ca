// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import fc from "fast-check";
import { PeerctlError } from "../errors.ts";
import { makeOpensslRequest } from "../testing/openssl_authority.ts";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { readSigningRequest } from "./certificates_request.ts";
import { readPem } from "./pem.ts";

const openssl = requirePeer("openssl");

async function pemOf(dir: string, name: string, o: Parameters<typeof makeOpensslRequest>[2] = {}): Promise<string> {
  return await Deno.readTextFile(await makeOpensslRequest(dir, name, o));
}

function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toBase64()}\n-----END CERTIFICATE REQUEST-----\n`;
}

Deno.test({
  name: "readSigningRequest() reads requests of every key type, and their names only when asked",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const types: Array<[string, string[]]> = [
        ["ecdsa-p256", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]],
        ["ecdsa-p384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"]],
        ["ed25519", ["ed25519"]],
        ["rsa-2048", ["rsa:2048"]],
        ["rsa-3072", ["rsa:3072", "-sha512"]],
      ];
      for (const [type, newKey] of types) {
        const extensions = ["subjectAltName=DNS:Node3.example,IP:10.0.0.1,IP:2001:db8::1,URI:spiffe://example.org/n"];
        const text = await pemOf(dir, type, { newKey, extensions, subject: "/O=Example/CN=node3" });
        const request = readSigningRequest(text, "it");
        assert.equal(request.keyType, type);
        assert.deepEqual(request.names().map(({ type, value }) => `${type}:${value}`), [
          "dns:node3.example",
          "ip:10.0.0.1",
          "ip:2001:db8::1",
          "uri:spiffe://example.org/n",
        ]);
      }
      const bare = readSigningRequest(await pemOf(dir, "bare", { subject: "/" }), "it");
      assert.deepEqual([bare.subject.toHex(), bare.names()], ["3000", []]);
      const older = (await pemOf(dir, "older")).replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
      readSigningRequest(older, "it");
    }),
});

Deno.test({
  name: "readSigningRequest() refuses what must not be signed, each with its reason",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const good = await pemOf(dir, "good");
      const der = readPem(good, "it")[0]!.der;
      const forged = der.slice();
      forged[forged.length - 1]! ^= 1;
      const renamed = der.slice();
      renamed[renamed.indexOf("g".charCodeAt(0), 8)] = "f".charCodeAt(0);
      const key = (newKey: string[]) => pemOf(dir, newKey.join("").replace(/\W/g, ""), { newKey });
      const asks = (name: string, extension: string) => pemOf(dir, name, { extensions: [extension] });
      const cases: Array<[string, RegExp]> = [
        ["", /it holds no PEM request/],
        [good + good, /it holds 2 requests/],
        [await Deno.readTextFile(`${dir}/good.key`), /it holds no request but a private key/],
        [pem(forged), /signature is not that of its own key/],
        [pem(renamed), /signature is not that of its own key/],
        [pem(new Uint8Array([0x30, 0])), /cannot be read as a request/],
        [await key(["rsa:1024"]), /its key is of type rsa-1024/],
        [
          await key(["ec", "-pkeyopt", "ec_paramgen_curve:P-521"]),
          /its key is of type ecdsa-secp521r1|key cannot be read/,
        ],
        [await key(["ed448"]), /its key is of type ed448|key cannot be read/],
        [await key(["rsa:2048", "-sha1"]), /signature is not that of its own key/],
        [await asks("ca", "basicConstraints=CA:TRUE"), /it asks to become a CA/],
        [await asks("signer", "keyUsage=keyCertSign"), /it asks to become a CA/],
        [await asks("revoker", "keyUsage=digitalSignature,cRLSign"), /it asks to become a CA/],
        [await pemOf(dir, "control", { subject: "/CN=a\u0007b" }), /subject holds a control character/],
        [await pemOf(dir, "long", { subject: "/O=Example".repeat(120) }), /subject has \d+ bytes, limit 1024/],
      ];
      for (const [text, message] of cases) {
        assert.throws(() => readSigningRequest(text, "request"), { kind: "config", message });
      }
    }),
});

Deno.test({
  name: "names() refuses names that --san would not take, and never makes an address of a DNS name",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const cases: Array<[string, RegExp]> = [
        ["email:a@example.org", /others than DNS names/],
        ["dirName:none", /others than DNS names/],
        ["DNS:10.0.0.1", /"10\.0\.0\.1" is there as a name of type dns/],
        ["DNS:spiffe://example.org/x", /is there as a name of type dns/],
        ["DNS:a b", /no DNS label/],
        ["DNS:*", /can only stand/],
        ["URI:https://example.org", /SPIFFE/],
        ["URI:spiffe://a/b,URI:spiffe://a/c", /at most one SPIFFE ID/],
      ];
      for (const [i, [name, message]] of cases.entries()) {
        const text = await pemOf(dir, `name${i}`, { extensions: [`subjectAltName=${name}`] });
        const request = readSigningRequest(text, "it");
        assert.throws(() => request.names(), { kind: "config", message, hint: /--san/ });
      }
    }),
});

Deno.test({
  name: "readSigningRequest() meets changed bytes with one kind of error, and signs none of them",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const der = readPem(await pemOf(dir, "good", { extensions: ["subjectAltName=DNS:a"] }), "it")[0]!.der;
      const position = fc.nat(der.length - 1);
      fc.assert(
        fc.property(position, fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, isCut) => {
          const changed = isCut ? der.slice(0, at) : der.slice();
          if (!isCut) changed[at]! ^= change;
          assert.throws(() => readSigningRequest(pem(changed), "it"), (error: unknown) => {
            assert.ok(error instanceof PeerctlError && ["config", "limit"].includes(error.kind), String(error));
            return true;
          });
        }),
        { numRuns: 300 },
      );
    }),
});
