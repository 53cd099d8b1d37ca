// SPDX-License-Identifier: Apache-2.0
/** Puts what benches have measured into a table and into JSON. */

import { alignColumns } from "../../cli/output.ts";
import { OURS, type Row, type RowKind } from "./bench.ts";

export interface BenchReport {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly remarks: readonly string[];
}

/** Median and range of some values. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly values: readonly number[];
}

/** A place to put rows, in the order in which they first come. */
export function collectRows(): { readonly rows: Row[]; add(kind: RowKind, subject: string, value: number): void } {
  const known = new Map<string, { row: Row; values: Map<string, number[]> }>();
  const rows: Row[] = [];
  return {
    rows,
    add(kind, subject, value) {
      const key = `${kind.line}\0${kind.unit}`;
      let entry = known.get(key);
      if (entry === undefined) {
        const values = new Map<string, number[]>();
        known.set(key, entry = { row: { ...kind, values }, values });
        rows.push(entry.row);
      }
      const values = entry.values.get(subject);
      if (values === undefined) entry.values.set(subject, [value]);
      else values.push(value);
    },
  };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, values };
}

/**
 * How many times the other's value ours is: the median over the rounds, for what disturbs the machine in one round
 * disturbs both. Undefined when there is nothing to compare.
 */
export function ratioTo(row: Row, reference: string): number | undefined {
  const [ours, theirs] = [row.values.get(OURS), row.values.get(reference)];
  if (ours === undefined || theirs === undefined) return undefined;
  const ratios = ours.flatMap((value, round) => {
    const other = theirs[round];
    return other === undefined || other === 0 ? [] : [value / other];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios).median;
}

/** Whether the row's goal or limit is met; undefined when it has none. */
export function isMet(row: Row, reference: string | undefined): boolean | undefined {
  const ours = row.values.get(OURS);
  if (row.limit !== undefined && ours !== undefined) return spreadOf(ours).median <= row.limit;
  const ratio = reference === undefined ? undefined : ratioTo(row, reference);
  if (row.goal === undefined || ratio === undefined) return undefined;
  return row.better === "more" ? ratio >= row.goal : ratio <= row.goal;
}

/** One line for each row and each subject that ours is compared with. */
export function textReport({ name, rows, remarks }: BenchReport): string {
  const head = [name, "unit", OURS, "range", "beside", "", "range", "ratio", "goal", ""];
  const lines = rows.flatMap(comparisonsOf).map(({ line, unit, ours, other, theirs, ratio, goal, met }) => [
    line,
    unit,
    medianText(ours),
    rangeText(ours),
    other,
    medianText(theirs),
    rangeText(theirs),
    ratio,
    goal,
    met,
  ]);
  return alignColumns([head, ...lines]) + remarks.map((remark) => `${remark}\n`).join("");
}

/** A row beside one other subject, or alone; texts, empty for what there is not. */
interface Comparison {
  readonly line: string;
  readonly unit: string;
  readonly ours: Spread | undefined;
  readonly other: string;
  readonly theirs: Spread | undefined;
  readonly ratio: string;
  readonly goal: string;
  readonly met: string;
}

/** One for each subject that ours is compared with. */
export function comparisonsOf(row: Row): Comparison[] {
  const spread = (subject: string | undefined) => {
    const values = subject === undefined ? undefined : row.values.get(subject);
    return values === undefined ? undefined : spreadOf(values);
  };
  const others = [...row.values.keys()].filter((subject) => subject !== OURS);
  return (others.length === 0 ? [undefined] : others).map((other) => {
    const ratio = other === undefined ? undefined : ratioTo(row, other);
    const met = isMet(row, other);
    const sign = row.better === "more" && row.limit === undefined ? ">=" : "<=";
    const goal = row.limit ?? row.goal;
    return {
      line: row.line,
      unit: row.unit,
      ours: spread(OURS),
      other: other ?? "",
      theirs: spread(other),
      ratio: ratio === undefined ? "" : ratio.toFixed(2),
      goal: goal === undefined ? "" : `${sign} ${goal}`,
      met: met === undefined ? "" : met ? "met" : "not met",
    };
  });
}

export function medianText(spread: Spread | undefined): string {
  return spread === undefined ? "" : figure(spread.median);
}

function rangeText(spread: Spread | undefined): string {
  if (spread === undefined || spread.values.length === 1) return "";
  return `${figure(spread.min)} to ${figure(spread.max)}`;
}

/** Three digits that count, and no more of them than are known. */
function figure(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en", { minimumFractionDigits: Math.min(digits, 4), maximumFractionDigits: digits });
}

export function jsonReport({ name, rows, remarks }: BenchReport) {
  return {
    name,
    rows: rows.map((row) => {
      const { line, unit, better, goal, limit, values } = row;
      const others = [...values.keys()].filter((subject) => subject !== OURS);
      return {
        line,
        unit,
        better,
        ...(goal !== undefined && { goal }),
        ...(limit !== undefined && { limit }),
        subjects: Object.fromEntries([...values].map(([subject, list]) => [subject, spreadOf(list)])),
        ratios: Object.fromEntries(others.map((other) => [other, ratioTo(row, other)])),
        met: isMet(row, others[0]) ?? null,
      };
    }),
    remarks,
  };
}
