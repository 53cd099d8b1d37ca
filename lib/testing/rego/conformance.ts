// SPDX-License-Identifier: Apache-2.0
/**
 * Puts OPA's conformance cases to lib/rego and prints what fails.
 *
 *     deno run -A lib/testing/rego/conformance.ts [--folder X]… [--case TEXT]… [--limit N] [--show] [--refused] [--engine opa]
 *
 * `--folder` and `--case` (part of a note or file) choose cases; `--show` prints modules, data and input of what fails,
 * too; `--refused` lists what was refused; `--engine opa` asks OPA instead, which must pass everything.
 */

import { parseArgs } from "node:util";
import { conformanceTable, type Judged, runCases } from "./conformance_run.ts";
import { loadOpaCases, type OpaCase } from "./opa_cases.ts";
import { startOpa } from "./opa_process.ts";
import { askOpa, askRego } from "./subjects.ts";

/** Failing cases printed without --limit. */
const DEFAULT_LIMIT = 30;

/** Longest want or got printed without --show, in characters. */
const MAX_SHOWN = 300;

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    folder: { type: "string", multiple: true, default: [] },
    case: { type: "string", multiple: true, default: [] },
    limit: { type: "string", default: String(DEFAULT_LIMIT) },
    show: { type: "boolean", default: false },
    refused: { type: "boolean", default: false },
    engine: { type: "string", default: "rego" },
  },
});

const { version, cases } = await loadOpaCases();
const chosen = cases.filter(({ file, note }) =>
  (flags.folder.length === 0 || flags.folder.includes(file.split("/")[0]!)) &&
  (flags.case.length === 0 || flags.case.some((text) => note.includes(text) || file.includes(text)))
);
const judged = await judgeAll(chosen);
print(judged);

async function judgeAll(list: readonly OpaCase[]): Promise<Judged[]> {
  if (flags.engine !== "opa") return await runCases(list, askRego);
  await using opa = await startOpa();
  return await runCases(list, (test) => askOpa(opa, test));
}

function print(all: readonly Judged[]): void {
  const wrong = all.filter(({ verdict }) => verdict.kind === "wrong");
  for (const { test, verdict } of wrong.slice(0, Number(flags.limit))) {
    if (verdict.kind !== "wrong") continue;
    console.log(`WRONG ${test.file}: ${test.note}`);
    console.log(`  want ${cut(verdict.want)}\n  got  ${cut(verdict.got)}`);
    if (flags.show) console.log(details(test));
  }
  if (wrong.length > Number(flags.limit)) console.log(`… ${wrong.length - Number(flags.limit)} more (--limit N)\n`);
  if (flags.refused) {
    for (const { test, verdict } of all) {
      if (verdict.kind === "refused") console.log(`REFUSED ${test.file}: ${test.note}\n  ${verdict.reason}`);
    }
  }
  console.log(`OPA ${version}\n${conformanceTable(all)}`);
  const codes = Map.groupBy(wrong, ({ verdict }) => verdict.kind === "wrong" ? kindOf(verdict.got) : "");
  for (const [code, list] of [...codes].sort((a, b) => b[1].length - a[1].length).slice(0, 20)) {
    console.log(`${String(list.length).padStart(5)}  ${code}`);
  }
}

/** What went wrong, for a count: an error's code and message without places and names, or a wrong result. */
function kindOf(got: string): string {
  return /^(crash|(rego|eval)_[a-z_]+ )/.test(got)
    ? got.replace(/test-\d+\.rego:\d+:\d+: /g, "").replace(/"[^"]*"/g, '"…"').slice(0, 110)
    : "another result";
}

function cut(text: string): string {
  return flags.show || text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

function details(test: OpaCase): string {
  const parts = [`query: ${test.query}${test.strictErrors ? "  (strict)" : ""}`, ...test.modules];
  if (test.data !== undefined) parts.push(`data: ${test.data}`);
  if (test.input !== undefined) parts.push(`input: ${test.input}`);
  if (test.inputTerm !== undefined) parts.push(`input term: ${test.inputTerm}`);
  return parts.join("\n").trimEnd().replaceAll(/^/gm, "    ") + "\n";
}
