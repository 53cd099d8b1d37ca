// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { requirePeer } from "../../testing/peers.ts";
import { startOpa } from "../../testing/rego/opa_process.ts";
import { loadTypeCases } from "../../testing/rego/type_cases.ts";

Deno.test({
  name: "checkTypes() refuses what OPA refuses, and nothing that OPA accepts",
  ...requirePeer("go"),
  async fn() {
    await using opa = await startOpa();
    const cases = await loadTypeCases();
    const answers = await Promise.all(
      cases.map(({ policy }) => opa.ask({ modules: { "a.rego": policy }, query: "data.a = x" })),
    );
    for (const [i, { policy, refusal, isLaxer }] of cases.entries()) {
      const codes = (answers[i]!.errors ?? []).filter(({ stage }) => stage === "load").map(({ code }) => code);
      const isRefused = refusal !== undefined || isLaxer;
      assert.equal(codes.length > 0, isRefused, `${policy}OPA: ${codes.join() || "accepted"}`);
      for (const code of codes) assert.equal(code, "rego_type_error", policy);
    }
  },
});
