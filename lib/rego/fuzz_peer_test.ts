// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { requirePeer } from "../testing/peers.ts";
import { replyText } from "../testing/rego/differential.ts";
import { fuzzBuiltins } from "../testing/rego/fuzz_builtins.ts";
import { renderPair } from "../testing/rego/fuzz_policy.ts";
import { type Difference, fuzz } from "../testing/rego/fuzz_run.ts";
import { startOpa } from "../testing/rego/opa_process.ts";

/** Random policies of this run; `deno run -A lib/testing/rego/fuzz.ts --count 100000` is the whole of it. */
const COUNT = 400;

/** Random calls of this run; `--mode builtins` makes more. */
const CALLS = 2_000;

/** Always the same ones, so that a run can be repeated. */
const SEED = 1;

Deno.test({
  name: "lib/rego answers random policies as OPA does",
  ...requirePeer("go"),
  async fn() {
    await using opa = await startOpa();
    const { counts, answered, differences } = await fuzz({ opa, seed: SEED, count: COUNT });
    console.log(`\n${COUNT} random policies from seed ${SEED}: ${JSON.stringify({ ...counts, answered })}`);
    assert.deepEqual(differences.map(describe), []);
    assert.ok(answered > COUNT / 4, "policies that answer say most");
    assert.ok(counts.accepted <= COUNT / 100, "what OPA refuses for its types is refused");
  },
});

Deno.test({
  name: "builtins answer random arguments as OPA's do",
  ...requirePeer("go"),
  async fn() {
    await using opa = await startOpa();
    const { counts, answered, differences } = await fuzzBuiltins({ opa, seed: SEED, count: CALLS });
    console.log(`\n${CALLS} random calls from seed ${SEED}: ${JSON.stringify({ ...counts, answered })}`);
    const told = differences.map(({ seed, call, opa, ours }) =>
      `seed ${seed}: ${call.name}(${call.args.join(", ")}): OPA ${replyText(opa)}, ours ${replyText(ours)}`
    );
    assert.deepEqual(told, []);
    assert.ok(answered > CALLS / 2, "calls that answer say most");
  },
});

function describe({ seed, pair, opa, ours }: Difference): string {
  const { policy, data, input } = renderPair(pair);
  return [
    `seed ${seed}: ${pair.query}`,
    policy,
    `data ${data}`,
    `input ${input}`,
    `OPA ${replyText(opa)}`,
    `ours ${replyText(ours)}`,
  ]
    .join("\n");
}
