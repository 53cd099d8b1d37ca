// SPDX-License-Identifier: Apache-2.0
/** Runs conformance cases and counts the verdicts by folder. */

import { judge, type Outcome, type Verdict } from "./judge.ts";
import type { OpaCase } from "./opa_cases.ts";
import { INPUT, KNOWN_DIFFERENCES, type KnownDifference } from "./opa_faults.ts";

export interface Judged {
  readonly test: OpaCase;
  readonly verdict: Verdict;
}

/** How many verdicts of each kind. */
export interface Counts {
  readonly cases: number;
  readonly pass: number;
  readonly refused: number;
  readonly wrong: number;
}

export async function runCases(
  cases: readonly OpaCase[],
  ask: (test: OpaCase) => Outcome | Promise<Outcome>,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const test of cases) judged.push({ test, verdict: judge(test, await ask(test)) });
  return judged;
}

export function countVerdicts(all: readonly Judged[]): Counts {
  const count = (kind: Verdict["kind"]) => all.filter(({ verdict }) => verdict.kind === kind).length;
  return { cases: all.length, pass: count("pass"), refused: count("refused"), wrong: count("wrong") };
}

/** A Markdown table by folder, all together in the last line. */
export function conformanceTable(all: readonly Judged[]): string {
  const rows = [["folder", "cases", "pass", "refused", "wrong"]];
  const add = (name: string, list: readonly Judged[]) => {
    const { cases, pass, refused, wrong } = countVerdicts(list);
    rows.push([name, ...[cases, pass, refused, wrong].map(String)]);
  };
  const folders = Map.groupBy(all, ({ test }) => test.file.split("/")[0]!);
  for (const name of [...folders.keys()].sort()) add(name, folders.get(name)!);
  add("**all**", all);
  const widths = rows[0]!.map((_head, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")} |`;
  return `${[line(rows[0]!), rule, ...rows.slice(1).map(line)].join("\n")}\n\n${summary(countVerdicts(all))}\n`;
}

function summary({ cases, pass, refused, wrong }: Counts): string {
  const offered = cases - refused;
  return [
    `- pass: ${pass} of ${cases} (${share(pass, cases)})`,
    `- refused when they are loaded: ${refused}`,
    `- wrong: ${wrong}`,
    `- pass of those that ask for nothing refused: ${pass} of ${offered} (${share(pass, offered)})`,
  ].join("\n");
}

/** lib/rego/CONFORMANCE.md: the table, and what is refused. */
export function conformancePage(version: string, all: readonly Judged[]): string {
  const refused = Map.groupBy(
    all.flatMap(({ verdict }) =>
      verdict.kind === "refused" ? [verdict.reason.replace(/^\S+: rego_unsupported_error: /, "")] : []
    ),
    (reason) => reason,
  );
  const rows = [...refused].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([reason, list]) => `- ${reason.replace(/^\S+/, "`$&`")} (${list.length})\n`);
  return `# OPA's conformance cases

Written by \`conformance_peer_test.ts\`, which runs the cases of OPA ${version} and fails when one gives a wrong answer.

A case is refused when its policy calls a builtin that peerctl does not offer; that is said when the policy is loaded.

${conformanceTable(all)}
## Refused

By the first builtin named; the number of cases in brackets.

${rows.join("")}
Two of them stand beside the families that peerctl leaves out. \`crypto.parse_private_keys\` answers with the private
numbers of the keys, in the shape that the structs of OPA's own crypto library happen to have: values of a policy end up
in results, traces and logs, and no decision needs them. \`test.sleep\` would stop a whole process, as decisions are
synchronous.

## Where peerctl answers otherwise than OPA

Random policies and random calls of builtins are compared with OPA
(\`deno run -A lib/testing/rego/fuzz.ts\`). These are the differences that are left on purpose, each held by
\`known_differences_peer_test.ts\`, with input \`${INPUT}\`:

${KNOWN_DIFFERENCES.map(differenceText).join("\n")}`;
}

function differenceText({ why, rules, opa, ours }: KnownDifference): string {
  return `- ${why}\n\n      ${rules.replaceAll("\n", "\n      ")}\n      # OPA: ${opa}\n      # peerctl: ${ours}\n`;
}

/** A share in per cent, rounded down to a tenth, so that it never promises more than there is. */
function share(part: number, whole: number): string {
  return `${(Math.floor(part / whole * 1000) / 10).toFixed(1)} %`;
}
