// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { encodePem, readPem } from "./pem.ts";

const BYTES = new Uint8Array(100).map((_, i) => i);

Deno.test("readPem() reads what encodePem() writes, in order, whatever stands around it", () => {
  const text = `Subject: x\n${encodePem("CERTIFICATE", BYTES)}\n# note\n${
    encodePem("PRIVATE KEY", BYTES.slice(0, 3))
  }end`;
  const blocks = readPem(text.replaceAll("\n", "\r\n"), "it");
  assert.deepEqual(blocks.map(({ label, isEncrypted, der }) => [label, isEncrypted, der.length]), [
    ["CERTIFICATE", false, 100],
    ["PRIVATE KEY", false, 3],
  ]);
  assert.deepEqual(blocks[0]!.der, BYTES);
  assert.equal(readPem(text, "it")[0]!.text, encodePem("CERTIFICATE", BYTES));
  assert.deepEqual(readPem("nothing here -----BEGIN \n-----", "it"), []);
});

Deno.test("readPem() tells encrypted keys, of both forms", () => {
  const old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A1B\n\nAAAA\n" +
    "-----END RSA PRIVATE KEY-----\n";
  const pkcs8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
  assert.deepEqual(readPem(old + pkcs8, "it").map(({ isEncrypted }) => isEncrypted), [true, true]);
});

Deno.test("readPem() refuses broken blocks and too much, and quotes nothing of them", () => {
  const cases: Array<[string, string, RegExp]> = [
    ["-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n", "config", /block 1 has no end/],
    ["-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END CERTIFICATE-----\n", "config", /block 1 has no end/],
    ["-----BEGIN A-----\nsec ret!\n-----END A-----\n", "config", /block 1 is not base64/],
    [encodePem("CERTIFICATE", BYTES).repeat(501), "limit", /more than 500/],
    ["x".repeat((1 << 20) + 1), "limit", /1048577 characters/],
  ];
  for (const [text, kind, message] of cases) {
    assert.throws(() => readPem(text, "the file"), (error: Error & { kind: string }) => {
      assert.equal(error.kind, kind);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /c2VjcmV0|sec ret/);
      return true;
    });
  }
});

Deno.test("readPem() takes time in line with the length of a hostile text", () => {
  for (const part of ["-----BEGIN A-----", "-----BEGIN ", "a: b\n", "-----BEGIN A-----\na: b\n", " \n", "-"]) {
    const text = `-----BEGIN A-----\n${part.repeat(Math.floor((1 << 19) / part.length))}`;
    try {
      readPem(text + "-----END A-----", "it");
    } catch {
      // Refused is as good as read: what counts is that the test ends.
    }
  }
});
