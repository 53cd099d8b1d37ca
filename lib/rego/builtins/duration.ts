// SPDX-License-Identifier: Apache-2.0
/** Durations such as "1h30m" as Go reads them, with days, weeks and years of 365 days. */

import { builtinError } from "./builtin.ts";
import { formatFloat, SHORTEST } from "./go_float.ts";
import { quote } from "./text.ts";

const HOUR = 3_600_000_000_000n;

/** Nanoseconds of each unit (package time, ParseDuration). */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1000n],
  ["\u00b5s", 1000n],
  ["\u03bcs", 1000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", HOUR],
]);

/** Hours of the units that Go does not have. */
const LONG_UNITS: ReadonlyMap<string, number> = new Map([["d", 24], ["w", 168], ["y", 8760]]);

const MAX = 1n << 63n;

/** Nanoseconds of a duration text. @throws {RegoBuiltinError} for what is none, or beyond 64 bits. */
export function parseDuration(text: string): bigint {
  const invalid = () => builtinError(`time: invalid duration ${quote(text.slice(0, 100))}`);
  let rest = /[dwy]/.test(text) ? inHours(text) : text;
  if (rest === undefined) throw invalid();
  const negative = rest.startsWith("-");
  if (/^[+-]/.test(rest)) rest = rest.slice(1);
  if (rest === "0") return 0n;
  if (rest === "") throw invalid();
  let total = 0n;
  while (rest !== "") {
    const match = /^([0-9]*)(?:\.([0-9]*))?([^0-9.]*)/.exec(rest);
    const [whole, fraction, unit] = [match?.[1] ?? "", match?.[2] ?? "", match?.[3] ?? ""];
    if (whole + fraction === "") throw invalid();
    if (unit === "") throw builtinError(`time: missing unit in duration ${quote(text.slice(0, 100))}`);
    const size = UNITS.get(unit);
    if (size === undefined) {
      throw builtinError(`time: unknown unit ${quote(unit.slice(0, 20))} in duration ${quote(text.slice(0, 100))}`);
    }
    total += amount(whole, fraction, size) ?? MAX + 1n;
    if (total > MAX) throw invalid();
    rest = rest.slice(match?.[0].length);
  }
  if (total === MAX && !negative) throw invalid();
  return negative ? -total : total;
}

/** The part before the point is exact; of the fraction as many digits as 63 bits hold count, through a double. */
function amount(whole: string, fraction: string, size: bigint): bigint | undefined {
  if (whole.replace(/^0+/, "").length > 19) return undefined;
  let scale = 1;
  let digits = 0n;
  for (const digit of fraction) {
    if (digits > (MAX - 1n) / 10n) break;
    const next = digits * 10n + BigInt(digit);
    if (next > MAX) break;
    digits = next;
    scale *= 10;
  }
  const part = digits === 0n ? 0n : BigInt(Math.trunc(Number(digits) * (Number(size) / scale)));
  return BigInt(whole === "" ? "0" : whole) * size + part;
}

/** Writes days, weeks and years as hours; undefined when the text is not made of numbers and units. */
function inHours(text: string): string | undefined {
  if (!/^[+-]?(?:[0-9.]+(?:ms|us|\u00b5s|ns|[a-z]))+$/.test(text)) return undefined;
  let valid = true;
  const rewritten = text.replace(/([0-9.]+)([dwy])/g, (_, digits: string, unit: string) => {
    if (!/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(digits)) valid = false;
    return `${formatFloat(Number(digits) * (LONG_UNITS.get(unit) as number), "f", SHORTEST)}h`;
  });
  return valid && !/Inf|NaN/.test(rewritten) ? rewritten : undefined;
}
