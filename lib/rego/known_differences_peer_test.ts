// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { requirePeer } from "../testing/peers.ts";
import { askOpaQuestion, askRegoQuestion, type Question, replyText } from "../testing/rego/differential.ts";
import { INPUT, KNOWN_DIFFERENCES } from "../testing/rego/opa_faults.ts";
import { startOpa } from "../testing/rego/opa_process.ts";

Deno.test({
  name: "lib/rego differs from OPA where CONFORMANCE.md says so, and just as it says",
  ...requirePeer("go"),
  async fn(t) {
    await using opa = await startOpa();
    for (const { why, rules, opa: theirs, ours } of KNOWN_DIFFERENCES) {
      await t.step(why, async () => {
        const question: Question = {
          policy: `package fuzz\n${rules}\n`,
          data: "{}",
          input: INPUT,
          query: "data.fuzz = x",
          strict: false,
        };
        assert.equal(
          replyText(await askOpaQuestion(opa, question)).split(":", /^(?:eval|load) error/.test(theirs) ? 1 : 99).join(
            ":",
          ),
          theirs,
        );
        assert.equal(replyText(askRegoQuestion(question)), ours);
      });
    }
  },
});
