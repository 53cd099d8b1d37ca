// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { requirePeer } from "../testing/peers.ts";
import { conformancePage, countVerdicts, type Judged, runCases } from "../testing/rego/conformance_run.ts";
import { loadOpaCases } from "../testing/rego/opa_cases.ts";
import { startOpa } from "../testing/rego/opa_process.ts";
import { askOpa, askRego } from "../testing/rego/subjects.ts";
import { keepPage } from "../testing/written_page.ts";
import { refusalOf } from "./builtins/refused.ts";

const PAGE = new URL("./CONFORMANCE.md", import.meta.url);

/** Share of the cases within what lib/rego offers that have to pass. */
const WANTED_SHARE = 0.95;

Deno.test({
  name: "lib/rego passes OPA's conformance cases, refuses what it does not offer, and is never wrong",
  ...requirePeer("go"),
  async fn() {
    const { version, cases } = await loadOpaCases();
    assert.ok(cases.length > 2_000, `${cases.length} cases were read`);
    const judged = await runCases(cases, askRego);
    const page = conformancePage(version, judged);
    console.log(`\n${page}`);
    const { pass, refused, wrong } = countVerdicts(judged);
    assert.deepEqual(wrongCases(judged), []);
    assert.equal(wrong, 0);
    assert.deepEqual(judged.map(unexplained).filter((each) => each !== undefined), []);
    assert.ok(pass / (cases.length - refused) >= WANTED_SHARE, `${pass} of ${cases.length - refused} pass`);
    await keepPage(PAGE, page);
  },
});

Deno.test({
  name: "judge() lets OPA itself pass its own cases",
  ...requirePeer("go"),
  async fn() {
    await using opa = await startOpa();
    const { cases } = await loadOpaCases();
    const judged = await runCases(cases, (test) => askOpa(opa, test));
    // The first is about the parser's error inside a builtin, which the peer reports by another code.
    assert.deepEqual(wrongCases(judged).map((text) => text.split("\n")[0]), [
      "regoparsemodule/test-regoparsemodule-0321.yaml: regoparsemodule/error",
      "time/test-time-0947.yaml: time/time caching",
    ]);
  },
});

function wrongCases(judged: readonly Judged[]): string[] {
  return judged.flatMap(({ test, verdict }) =>
    verdict.kind === "wrong" ? [`${test.file}: ${test.note}\n  want ${verdict.want}\n  got ${verdict.got}`] : []
  );
}

/** A refusal whose reason is not in the fixed list. */
function unexplained({ test, verdict }: Judged): string | undefined {
  if (verdict.kind !== "refused") return undefined;
  const [, name, reason] = /(\S+) is refused: (.*)$/.exec(verdict.reason) ?? [];
  return name !== undefined && refusalOf(name) === reason ? undefined : `${test.file}: ${verdict.reason}`;
}
