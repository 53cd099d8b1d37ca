// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { makeOpensslFiles } from "../testing/openssl_files.ts";
import { peerPath, requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { inspectBytes } from "./certificates_inspect.ts";

/** What openssl makes of a certificate and its key (CERT, KEY), and what must be said of it. */
const CONVERSIONS: Array<[args: string, kind: RegExp]> = [
  ["pkcs12 -export -in CERT -inkey KEY -passout pass:x -out OUT", /it is a PKCS#12 file/],
  ["crl2pkcs7 -nocrl -certfile CERT -out OUT", /it is a PKCS#7 file$/],
  ["crl2pkcs7 -nocrl -certfile CERT -outform DER -out OUT", /it is a PKCS#7 file in DER$/],
  ["pkey -in KEY -aes256 -passout pass:x -out OUT", /it is a private key encrypted with a pass phrase$/],
  ["ec -in KEY -aes128 -passout pass:x -out OUT", /it is a private key encrypted with a pass phrase$/],
  ["pkey -in KEY -outform DER -out OUT", /it is a private key in DER$/],
  ["x509 -in CERT -trustout -out OUT", /it is a certificate in OpenSSL's own format$/],
  ["ecparam -name prime256v1 -out OUT", /it is a PEM block "EC PARAMETERS"$/],
];

async function openssl(args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(peerPath("openssl"), { args: [...args] }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test({
  name: "inspectBytes() names what openssl writes in formats that are not taken",
  ...requirePeer("openssl"),
  fn: () =>
    withTempDir(async (dir) => {
      const { server } = await makeOpensslFiles(dir);
      const out = join(dir, "out");
      for (const [args, message] of CONVERSIONS) {
        const words = { CERT: server.cert, KEY: server.key, OUT: out };
        await openssl(args.split(" ").map((word) => words[word as keyof typeof words] ?? word));
        const found = inspectBytes(await Deno.readFile(out), '"out"', { now: new Date(), warnDays: undefined });
        await assert.rejects(found, { kind: "config", message }, args);
      }
    }),
});

Deno.test({
  name: "inspectBytes() takes keys, requests and certificates of openssl in every form that it has for them",
  ...requirePeer("openssl"),
  fn: () =>
    withTempDir(async (dir) => {
      const { server } = await makeOpensslFiles(dir);
      const out = join(dir, "out");
      const shown = async (args: string) => {
        const words = { CERT: server.cert, KEY: server.key, OUT: out };
        await openssl(args.split(" ").map((word) => words[word as keyof typeof words] ?? word));
        return (await inspectBytes(await Deno.readFile(out), "out", { now: new Date(), warnDays: 0 })).items;
      };
      const san = "-addext subjectAltName=DNS:a.example,IP:10.0.0.7";
      const [request] = await shown(`req -new -key KEY -subj /O=Example/CN=x ${san} -out OUT`);
      const [key] = await shown("ec -in KEY -out OUT");
      const [publicKey] = await shown("pkey -in KEY -pubout -out OUT");
      const [certificate] = await shown("x509 -in CERT -outform DER -out OUT");
      const kinds = [request, key, publicKey, certificate].map((item) => item!.kind);
      assert.deepEqual(kinds, ["request", "private-key", "public-key", "certificate"]);
      const ids = new Set([request, key, publicKey, certificate].map((item) => item!.key!.sha256));
      assert.equal(ids.size, 1);
      assert.ok(request?.kind === "request");
      assert.deepEqual(
        { subject: request.subject, names: request.names.map(({ value }) => value), warnings: request.warnings },
        { subject: "O=Example, CN=x", names: ["a.example", "10.0.0.7"], warnings: [] },
      );
      const withParameters = await shown("ecparam -name prime256v1 -genkey -out OUT");
      assert.deepEqual(withParameters.map(({ kind }) => kind), ["private-key"]);
    }),
});
