// SPDX-License-Identifier: Apache-2.0
/** Reads durations in the form of Go's time.ParseDuration (`5m`, `1h30m`, `1.5s`, `100ms`, `0`), and writes ages. */

/** Milliseconds in one of Go's units (package time, ParseDuration). */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3, // U+00B5
  "μs": 1e-3, // U+03BC
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Largest duration Go can hold, in milliseconds: 2^63 - 1 nanoseconds. */
const MAX_MS = 9_223_372_036_854;

/** Returns milliseconds, or undefined when `text` is not a Go duration or does not fit one. */
export function parseDuration(text: string): number | undefined {
  const match = /^([-+]?)(0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  let ms = 0;
  for (const [, digits, unit] of match[2]!.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    ms += Number(digits) * UNIT_MS[unit!]!;
  }
  if (ms > MAX_MS) return undefined;
  return match[1] === "-" ? -ms : ms;
}

/** Milliseconds in the units of an age, largest first. */
const AGE_UNITS: readonly (readonly [name: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
];

/** Writes an age for a person, in its two largest units and whole seconds: `2d3h`, `5m`, `1m30s`, `0s`. */
export function formatAge(ms: number): string {
  let left = Math.max(0, ms);
  for (const [i, [name, unit]] of AGE_UNITS.entries()) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count === 0) continue;
    const text = `${count}${name}`;
    const [nextName, nextUnit] = AGE_UNITS[i + 1] ?? ["", Infinity];
    const nextCount = Math.floor(left / nextUnit);
    return nextCount === 0 ? text : `${text}${nextCount}${nextName}`;
  }
  return "0s";
}
