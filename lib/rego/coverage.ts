// SPDX-License-Identifier: Apache-2.0
/** Counts which lines of policy text evaluations reached. */

import type { RegoLocation } from "./limits.ts";
import type { RuleInfo, Tracer } from "./policy.ts";

/** Lines of one file that hold a rule's head or an expression of a body, in order. */
export interface FileCoverage {
  readonly covered: readonly number[];
  readonly notCovered: readonly number[];
}

export interface Coverage extends Required<Pick<Tracer, "leave" | "expression">> {
  /** Of the files that `rules` are in, by file in the order of names. */
  report(rules: readonly RuleInfo[]): ReadonlyMap<string, FileCoverage>;
}

/** A head is covered when its rule gave a value, an expression when it was evaluated, whatever came of it. */
export function createCoverage(): Coverage {
  const reached = new Map<string, Set<number>>();
  const mark = ({ file, line }: RegoLocation) => {
    const lines = reached.get(file);
    if (lines === undefined) reached.set(file, new Set([line]));
    else lines.add(line);
  };
  return {
    leave(_ref, location, defined) {
      if (defined) mark(location);
    },
    expression: mark,
    report(rules) {
      const all = new Map<string, Set<number>>();
      for (const { location, expressions } of rules) {
        for (const { file, line } of [location, ...expressions]) {
          all.set(file, (all.get(file) ?? new Set()).add(line));
        }
      }
      return new Map(
        [...all].sort(([a], [b]) => a < b ? -1 : 1).map(([file, lines]) => {
          const sorted = [...lines].sort((a, b) => a - b);
          const isCovered = (line: number) => reached.get(file)?.has(line) === true;
          return [file, {
            covered: sorted.filter(isCovered),
            notCovered: sorted.filter((line) => !isCovered(line)),
          }];
        }),
      );
    },
  };
}

/** The share of lines covered, in per cent, rounded down to a hundredth; 100 when there are none. */
export function coveragePercent(files: Iterable<FileCoverage>): number {
  let covered = 0, total = 0;
  for (const file of files) {
    covered += file.covered.length;
    total += file.covered.length + file.notCovered.length;
  }
  return total === 0 ? 100 : Math.floor(covered / total * 10_000) / 100;
}

/** Joins neighbours: 1, 2, 3, 7 are the ranges 1-3 and 7-7. */
export function lineRanges(lines: readonly number[]): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === line - 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges;
}
