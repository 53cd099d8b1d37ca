// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { nodeMinVersion, parseTlsProfile } from "./tls_profile.ts";

Deno.test("parseTlsProfile() takes TLS 1.2 when nothing is said", () => {
  assert.deepEqual(parseTlsProfile("", []), { minVersion: "VersionTLS12", cipherSuites: [] });
  assert.equal(nodeMinVersion(parseTlsProfile("", [])), "TLSv1.2");
  assert.equal(nodeMinVersion(parseTlsProfile("VersionTLS13", [])), "TLSv1.3");
});

Deno.test("parseTlsProfile() refuses every version but TLS 1.2 and 1.3", () => {
  for (const version of ["VersionTLS10", "VersionTLS11", "TLSv1.2", "1.3", "versiontls12", "toString"]) {
    assert.throws(() => parseTlsProfile(version, []), {
      kind: "config",
      message: `Cannot use TLS minimum version "${version}": must be VersionTLS12 or VersionTLS13`,
    });
  }
});

Deno.test("parseTlsProfile() trims suites, drops blanks and doubles, and takes Go's older names", () => {
  const names = [" TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "  "];
  assert.deepEqual(parseTlsProfile("VersionTLS12", [...names, ...names]).cipherSuites, [
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  ]);
  assert.deepEqual(parseTlsProfile("", ["", " "]).cipherSuites, []);
});

Deno.test("parseTlsProfile() refuses a list with TLS 1.3, but not one of blanks", () => {
  assert.throws(() => parseTlsProfile("VersionTLS13", ["TLS_AES_128_GCM_SHA256"]), {
    kind: "config",
    message: /Cannot use TLS cipher suites with VersionTLS13/,
  });
  assert.deepEqual(parseTlsProfile("VersionTLS13", [" "]).cipherSuites, []);
});

Deno.test("parseTlsProfile() refuses suites that could never be used and names those that can", () => {
  const good = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
  for (const name of ["TLS_RSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-GCM-SHA256", "NONSENSE"]) {
    assert.throws(() => parseTlsProfile("", [good, name]), (error: { kind: string; message: string; hint: string }) => {
      assert.equal(error.kind, "config");
      assert.match(error.message, new RegExp(`Cannot use TLS cipher suites ${name}:`));
      assert.match(error.hint, new RegExp(good));
      return true;
    });
  }
});
