// SPDX-License-Identifier: Apache-2.0
/** What a plain YAML scalar means to go-yaml 3, which reads YAML 1.2 with some numbers and words of YAML 1.1. */

import { fromBigInt, fromDouble, type RegoNumber } from "../numbers.ts";

/** The meaning of a plain scalar; `timestamp`, `merge` and `special` (infinities, NaN) have no value here. */
export type Resolved =
  | { readonly tag: "null" | "timestamp" | "merge" | "special" | "str" }
  | { readonly tag: "bool"; readonly value: boolean }
  | { readonly tag: "int" | "float"; readonly value: RegoNumber };

const WORDS = new Map<string, Resolved>([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, { tag: "null" }] as const),
  ...["true", "True", "TRUE"].map((word) => [word, { tag: "bool", value: true }] as const),
  ...["false", "False", "FALSE"].map((word) => [word, { tag: "bool", value: false }] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, { tag: "special" }] as const),
  ...["", "+", "-"].flatMap((sign) =>
    [".inf", ".Inf", ".INF"].map((word) => [sign + word, { tag: "special" }] as const)
  ),
  ["<<", { tag: "merge" }],
]);

const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const TIMESTAMP =
  /^[0-9]{4}-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.[0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2}))|(?: ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.[0-9]+)?))?$/;

/** Longest plain scalar that can be a number; beyond it the digits would not fit any machine number. */
const MAX_NUMBER_LENGTH = 400;

/** Resolves a plain scalar without a tag. */
export function resolveScalar(text: string): Resolved {
  const word = WORDS.get(text);
  if (word) return word;
  const first = text.charAt(0);
  if (!/[-+.0-9]/.test(first) || text.length > MAX_NUMBER_LENGTH) return { tag: "str" };
  if (first === ".") return FLOAT.test(text) ? double(text) : { tag: "str" };
  if (isTimestamp(text)) return { tag: "timestamp" };
  const plain = text.replaceAll("_", "");
  return integer(plain) ?? (FLOAT.test(plain) ? double(plain) : { tag: "str" });
}

function isTimestamp(text: string): boolean {
  const match = TIMESTAMP.exec(text);
  if (!match) return false;
  const [month, day, hour, minute, second] = [
    match[1],
    match[2],
    match[3] ?? match[6] ?? 0,
    match[4] ?? match[7] ?? 0,
    match[5] ?? match[8] ?? 0,
  ].map(Number) as [number, number, number, number, number];
  const days = new Date(Date.UTC(Number(text.slice(0, 4)) || 4, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}

/** Integers of 64 bits: decimal, 0x, 0b, 0o and 0 for octal. */
function integer(plain: string): Resolved | undefined {
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/.exec(plain);
  if (!match) return undefined;
  const [, sign, digits = ""] = match;
  const legacyOctal = /^0[0-7]+$/.test(digits);
  const magnitude = BigInt(legacyOctal ? `0o${digits.slice(1)}` : digits.toLowerCase());
  const value = sign === "-" ? -magnitude : magnitude;
  const fits = value >= -(1n << 63n) && value < 1n << (sign === "" ? 64n : 63n);
  return fits ? { tag: "int", value: fromBigInt(value) } : undefined;
}

function double(text: string): Resolved {
  const value = Number(text);
  return Number.isFinite(value) ? { tag: "float", value: fromDouble(value) } : { tag: "str" };
}

/** True when go-yaml writes the string without quotes as far as its meaning goes. */
export function readsAsString(text: string): boolean {
  return (text === "<<" || resolveScalar(text).tag === "str") &&
    !/^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/.test(text) &&
    !/^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/.test(text);
}
