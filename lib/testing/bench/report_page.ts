// SPDX-License-Identifier: Apache-2.0
/** Puts the tables of benches into a page, between `<!-- bench NAME -->` and `<!-- end of bench -->`. */

import { formatMarkdown } from "../written_page.ts";
import { OURS, type Row } from "./bench.ts";
import { type BenchReport, comparisonsOf, medianText } from "./report.ts";

const PLACES = /(<!-- bench ([a-z-]+) -->\n)[^]*?(<!-- end of bench -->)/g;

/**
 * Returns `page` with the tables of these benches, formatted as `deno fmt` does; what stands there of others stays.
 *
 * @param ranOn said above each table: machine and versions.
 * @throws when the page has no place for one of them.
 */
export async function withReports(page: string, reports: readonly BenchReport[], ranOn: string): Promise<string> {
  const left = new Map(reports.map((report) => [report.name, report]));
  const filled = page.replace(PLACES, (all, begin: string, name: string, end: string) => {
    const report = left.get(name);
    if (report === undefined) return all;
    left.delete(name);
    return `${begin}\n${ranOn}\n\n${markdownReport(report)}\n${end}`;
  });
  if (left.size > 0) throw new Error(`The page has no place for: ${[...left.keys()].join(", ")}`);
  return await formatMarkdown(filled);
}

/** What has a goal comes first. */
function markdownReport({ rows, remarks }: BenchReport): string {
  const hasGoal = (row: Row) => (row.goal ?? row.limit) !== undefined;
  return [table(rows.filter(hasGoal)), table(rows.filter((row) => !hasGoal(row))), remarks.join(" ")].join("\n\n");
}

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const isCompared = rows.some((row) => row.values.size > 1);
  const hasGoals = rows.some((row) => (row.goal ?? row.limit) !== undefined);
  const lines = rows.flatMap(comparisonsOf).map(({ line, unit, ours, other, theirs, ratio, goal, met }) => [
    line,
    unit,
    medianText(ours),
    ...(isCompared ? [other === "" ? "" : `${other} ${medianText(theirs)}`, ratio] : []),
    ...(hasGoals ? [goal, met] : []),
  ]);
  const head = ["", "unit", OURS, ...(isCompared ? ["beside", "ratio"] : []), ...(hasGoals ? ["goal", ""] : [])];
  const rule = head.map((_, column) => column < 2 ? "---" : "---:");
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
