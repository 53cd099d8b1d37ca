// SPDX-License-Identifier: Apache-2.0
/** Judges what an evaluator made of one conformance case; shares no code with the evaluator. */

import { numberText, parseExact } from "./exact_json.ts";
import type { OpaCase } from "./opa_cases.ts";

/** What an evaluator made of a case. */
export type Outcome =
  /** JSON texts, one of each result's bindings by name. */
  | { readonly kind: "rows"; readonly rows: readonly string[] }
  | { readonly kind: "error"; readonly stage: "load" | "eval"; readonly code: string; readonly message: string };

export type Verdict =
  | { readonly kind: "pass" }
  /** Refused when it was loaded: the one way not to answer. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "wrong"; readonly want: string; readonly got: string };

/** The code of a policy that uses what is not offered. */
export const UNSUPPORTED_CODE = "rego_unsupported_error";

/** Names that OPA's compiler gives to variables of its own. */
const GENERATED_NAME = /^__localq/;

export function judge(test: OpaCase, outcome: Outcome): Verdict {
  if (outcome.kind === "error") {
    if (outcome.stage === "load" && outcome.code === UNSUPPORTED_CODE) {
      return { kind: "refused", reason: outcome.message };
    }
    if (outcome.stage === "eval" && outcome.code === test.wantErrorCode) return { kind: "pass" };
    return { kind: "wrong", want: wanted(test), got: `${outcome.code} (${outcome.stage}): ${outcome.message}` };
  }
  if (test.wantErrorCode !== undefined || test.wantRows === undefined) {
    return { kind: "wrong", want: wanted(test), got: list(outcome.rows) };
  }
  const want = canonicalRows(test.wantRows, test);
  const got = canonicalRows(outcome.rows, test);
  if (want === got) return { kind: "pass" };
  return { kind: "wrong", want: wanted(test), got: list(outcome.rows) };
}

/** What a case asks for, as a person reads it. */
export function wanted(test: OpaCase): string {
  return test.wantErrorCode ?? list(test.wantRows ?? []);
}

function list(rows: readonly string[]): string {
  return rows.length === 0 ? "undefined" : rows.join(" | ");
}

/** Rows as a set: equal ones once, in an order of their own. */
function canonicalRows(rows: readonly string[], test: OpaCase): string {
  const texts = rows.map((row) => {
    const bindings = Object.entries(parseExact(row) as Record<string, unknown>)
      .filter(([name]) => !(test.ignoreGeneratedVariables && GENERATED_NAME.test(name)))
      .map(([name, value]): [string, string] => [
        name,
        test.sortBindings && Array.isArray(value) ? JSON.stringify(value.map(canonical).sort()) : canonical(value),
      ]);
    return JSON.stringify(bindings.sort());
  });
  return JSON.stringify([...new Set(texts)].sort());
}

/** Equal documents, and only they, have equal texts: keys in order, numbers by value. */
function canonical(value: unknown): string {
  const number = numberText(value);
  if (number !== undefined) return canonicalNumber(number);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.sort().join()}}`;
}

/** One text for each number, however it is written: `12e1` for 120, 120.0 and 1.2e2. */
export function canonicalNumber(text: string): string {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new Error(`${JSON.stringify(text)} is not a number`);
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return "0";
  return `${sign}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`;
}
