// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { askOpenssl, askOurs, startGoVerifier } from "../testing/verify_peers.ts";
import { makeKeyPool, makeRandomQuestion } from "../testing/verify_random.ts";

/** Chains of one run; 8,000 were made once without a difference. */
const CHAINS = 150;

Deno.test({
  name: "verifyCertificate() takes no random chain that Go or openssl refuses",
  ignore: requirePeer("go").ignore || requirePeer("openssl").ignore,
  fn: () =>
    withTempDir(async (dir) => {
      const go = await startGoVerifier();
      try {
        const pool = makeKeyPool();
        let taken = 0, refused = 0;
        for (let seed = 1; seed <= CHAINS; seed++) {
          const question = makeRandomQuestion(seed, pool);
          if (!askOurs(question).valid) {
            refused++;
            continue;
          }
          taken++;
          const theirs = { go: await go.ask(question), openssl: await askOpenssl(dir, question) };
          const isTaken = theirs.go.valid && theirs.openssl.valid;
          assert.ok(isTaken, `chain ${seed}: ${JSON.stringify(theirs)}, leaf ${question.leaf.toBase64()}`);
        }
        // Enough of both that the comparison says something.
        assert.ok(taken >= CHAINS / 15 && refused >= CHAINS / 3, `${taken} taken, ${refused} refused`);
      } finally {
        await go.stop();
      }
    }),
});
