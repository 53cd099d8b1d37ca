// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { agreement, askRegoQuestion, replyText } from "../testing/rego/differential.ts";
import { loadRegressions } from "../testing/rego/regressions.ts";

Deno.test("compile() gives OPA's answer where it once gave another", async (t) => {
  const regressions = await loadRegressions();
  assert.ok(regressions.length > 0);
  for (const { name, question, want } of regressions) {
    await t.step(name, () => {
      const ours = askRegoQuestion(question);
      assert.equal(
        agreement(want, ours),
        "same",
        `want ${replyText(want)}\ngot ${replyText(ours)}\n${question.policy}`,
      );
    });
  }
});
