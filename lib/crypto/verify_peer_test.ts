// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { makeVerifyCases } from "../testing/verify_cases.ts";
import { askOpenssl, askOurs, startGoVerifier } from "../testing/verify_peers.ts";

Deno.test({
  name: "verifyCertificate() and openssl verify -x509_strict agree but where ours is known to be stricter",
  ...requirePeer("openssl"),
  fn: () =>
    withTempDir(async (dir) => {
      for (const one of makeVerifyCases()) {
        const theirs = await askOpenssl(dir, one);
        const expected = one.reasons.length === 0 || one.laxer.includes("openssl");
        assert.equal(theirs.valid, expected, `${one.name}: ${theirs.why}`);
        assert.equal(askOurs(one).valid, one.reasons.length === 0, one.name);
      }
    }),
});

Deno.test({
  name: "verifyCertificate() and Go's x509.Verify agree but where ours is known to be stricter",
  ...requirePeer("go"),
  async fn() {
    const go = await startGoVerifier();
    try {
      for (const one of makeVerifyCases()) {
        const theirs = await go.ask(one);
        const expected = one.reasons.length === 0 || one.laxer.includes("go");
        assert.equal(theirs.valid, expected, `${one.name}: ${theirs.why}`);
        assert.equal(askOurs(one).valid, one.reasons.length === 0, one.name);
      }
    } finally {
      await go.stop();
    }
  },
});
