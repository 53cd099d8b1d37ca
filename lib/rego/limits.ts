// SPDX-License-Identifier: Apache-2.0
/** What hostile input or policy text may cost at most, and the typed errors of everything in lib/rego. */

import { PeerctlError } from "../errors.ts";

/** Upper bounds of one load or one evaluation; each is an option with a default. */
export interface Limits {
  /** Steps of one evaluation: roughly one per expression tried, element visited or builtin called. */
  readonly maxSteps: number;
  /** Wall time of one evaluation, in milliseconds. */
  readonly maxMillis: number;
  /** Nesting of rule and function calls, comprehensions and `every` in one evaluation. */
  readonly maxDepth: number;
  /** Nesting of brackets and operators in policy text, and of values in documents. */
  readonly maxNesting: number;
  /** Elements a builtin or a rule may put into one collection. */
  readonly maxElements: number;
  /** Characters (UTF-16 code units) of one string made by a builtin. */
  readonly maxStringLength: number;
  /** Characters of one regular expression; the compiled program is some fifty times larger. */
  readonly maxPatternLength: number;
  /** Decimal digits of one number made by arithmetic or a builtin. */
  readonly maxNumberDigits: number;
  /** Characters of one line of policy text. */
  readonly maxLineLength: number;
  /** Characters of one module. */
  readonly maxModuleLength: number;
}

/** What holds when nothing is given. */
export const DEFAULT_LIMITS: Limits = {
  maxSteps: 10_000_000,
  maxMillis: 5_000,
  maxDepth: 500,
  maxNesting: 500,
  maxElements: 1_000_000,
  maxStringLength: 16 << 20,
  maxPatternLength: 1 << 16,
  maxNumberDigits: 40_000,
  maxLineLength: 1 << 20,
  maxModuleLength: 16 << 20,
};

/** Codes of errors as OPA writes them; the two of our own are `rego_unsupported_error` and `eval_limit_error`. */
export type RegoErrorCode =
  | "rego_parse_error"
  | "rego_compile_error"
  | "rego_type_error"
  | "rego_unsafe_var_error"
  | "rego_recursion_error"
  | "rego_unsupported_error"
  | "eval_conflict_error"
  | "eval_type_error"
  | "eval_builtin_error"
  | "eval_with_merge_error"
  | "eval_internal_error"
  | "eval_limit_error";

/** A place in policy text; lines and columns count from 1, columns in UTF-16 code units. */
export interface RegoLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing wrong with a policy. */
export interface RegoDiagnostic {
  readonly code: RegoErrorCode;
  readonly message: string;
  readonly location?: RegoLocation | undefined;
  readonly hint?: string | undefined;
}

/** Any failure of loading or evaluating a policy: `code` and place of the first diagnostic, and all of them. */
export class RegoError extends PeerctlError {
  readonly code: RegoErrorCode;
  readonly location: RegoLocation | undefined;
  readonly diagnostics: readonly RegoDiagnostic[];

  constructor(diagnostics: RegoDiagnostic | readonly RegoDiagnostic[]) {
    const all: readonly RegoDiagnostic[] = "code" in diagnostics ? [diagnostics] : diagnostics;
    const first = all[0] ?? { code: "eval_internal_error", message: "no diagnostic" };
    const { location } = first;
    const where = location ? `${location.file}:${location.line}:${location.column}: ` : "";
    const kind = first.code === "eval_limit_error" ? "limit" : first.code.startsWith("eval_") ? "state" : "config";
    super(kind, `${where}${first.code}: ${first.message}`, first.hint === undefined ? {} : { hint: first.hint });
    this.code = first.code;
    this.location = location;
    this.diagnostics = all;
  }
}

/** A limit was reached; `limit` names the option that would allow more. */
export class RegoLimitError extends RegoError {
  readonly limit: keyof Limits;

  constructor(limit: keyof Limits, message: string, location?: RegoLocation) {
    super({ code: "eval_limit_error", message, location, hint: `the limit is ${limit}` });
    this.limit = limit;
  }
}

/** Fills in what `given` leaves out. */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  return { ...DEFAULT_LIMITS, ...given };
}
