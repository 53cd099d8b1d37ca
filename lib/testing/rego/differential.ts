// SPDX-License-Identifier: Apache-2.0
/** Puts the same policy, documents and query to OPA and to lib/rego, and says whether they agree. */

import { parseJson } from "../../rego/json.ts";
import { RegoError, RegoLimitError } from "../../rego/limits.ts";
import { compile, type Policy } from "../../rego/policy.ts";
import type { RegoObject, Value } from "../../rego/values.ts";
import { UNSUPPORTED_CODE } from "./judge.ts";
import type { OpaAnswer, OpaProcess } from "./opa_process.ts";
import { typedOf, typedText, type TypedValue } from "./typed_value.ts";

/** A question in texts; `data` and `input` are JSON. */
export interface Question {
  readonly policy: string;
  readonly data: string;
  readonly input: string | undefined;
  /** Rego text in place of `input`. */
  readonly inputTerm?: string;
  readonly query: string;
  readonly strict: boolean;
}

/** What came of it, as one comparable text: the rows, or the stage and code of the error. */
export type Reply =
  | { readonly kind: "rows"; readonly text: string }
  | {
    readonly kind: "error";
    readonly stage: "load" | "eval";
    readonly codes: readonly string[];
    readonly message: string;
  }
  /** Stopped by a limit or a timeout: no answer to compare. */
  | { readonly kind: "stopped" }
  /** Not a RegoError: a defect. */
  | { readonly kind: "crash"; readonly message: string };

/**
 * - `same`: equal rows, both refuse it at load, or both stop with the same code.
 * - `refused`: lib/rego does not offer something, and said so at load.
 * - `stopped`: one of them ran into a limit.
 * - `accepted`: OPA's type checker proves an expression senseless and refuses it at load; lib/rego evaluates it.
 * - `excused`: a fault of OPA: it panics (json.patch that removes the root), or see opa_faults.ts.
 * - `different`: everything else, and always a bug.
 */
export type Agreement = "same" | "refused" | "stopped" | "accepted" | "excused" | "different";

/** The file name that the policy has for both. */
const FILE = "fuzz.rego";

/** Codes of OPA for an evaluation that took too long. */
const CANCELLED = "eval_cancel_error";

/** What the peer says when OPA itself fails. */
const PANIC = "panic";

/** Code of OPA's type checker. */
const TYPE_ERROR = "rego_type_error";

export async function askOpaQuestion(opa: OpaProcess, question: Question): Promise<Reply> {
  const { policy, ...rest } = question;
  return replyOf(await opa.ask({ modules: { [FILE]: policy }, ...rest }));
}

/** The reply in OPA's answer. */
function replyOf(answer: OpaAnswer): Reply {
  if (answer.errors === undefined) return { kind: "rows", text: rowsText(answer.results ?? []) };
  const codes = answer.errors.map(({ code }) => code);
  if (codes.includes(CANCELLED)) return { kind: "stopped" };
  const { stage, message } = answer.errors[0]!;
  return { kind: "error", stage, codes, message };
}

export function askRegoQuestion(question: Question): Reply {
  const load = () =>
    compile([{ path: FILE, text: question.policy }], parseJson(question.data) as RegoObject, {
      strictBuiltinErrors: question.strict,
    });
  return askPolicy(load, question.query, () => question.input === undefined ? undefined : parseJson(question.input));
}

/** Asks a policy that `load` gives. */
export function askPolicy(load: () => Policy, query: string, input: () => Value | undefined): Reply {
  try {
    const rows = load().evaluate(query, input());
    const typed = rows.map(({ bindings }) =>
      Object.fromEntries([...bindings].map(([name, value]) => [name, typedOf(value)]))
    );
    return { kind: "rows", text: rowsText(typed) };
  } catch (error) {
    if (error instanceof RegoLimitError) return { kind: "stopped" };
    if (error instanceof RegoError) {
      const stage = error.code.startsWith("eval_") ? "eval" : "load";
      return { kind: "error", stage, codes: error.diagnostics.map(({ code }) => code), message: error.message };
    }
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    return { kind: "crash", message: text.split("\n").slice(0, 5).join("\n") };
  }
}

function rowsText(rows: readonly Readonly<Record<string, TypedValue>>[]): string {
  const texts = rows.map((row) =>
    Object.keys(row).sort().map((name) => `${name} = ${typedText(row[name]!)}`).join(", ")
  );
  return texts.length === 0 ? "undefined" : [...new Set(texts)].sort().join("\n");
}

export function agreement(opa: Reply, ours: Reply): Agreement {
  if (ours.kind === "crash") return "different";
  if (opa.kind === "error" && opa.codes.includes(PANIC)) return "excused";
  if (opa.kind === "stopped" || ours.kind === "stopped") return "stopped";
  if (ours.kind === "error" && ours.stage === "load" && ours.codes.includes(UNSUPPORTED_CODE)) return "refused";
  if (opa.kind === "rows") return ours.kind === "rows" && ours.text === opa.text ? "same" : "different";
  if (opa.kind !== "error") return "different";
  if (opa.stage === "load" && !(ours.kind === "error" && ours.stage === "load")) {
    return opa.codes.every((code) => code === TYPE_ERROR) ? "accepted" : "different";
  }
  if (ours.kind === "rows" || ours.stage !== opa.stage) return "different";
  // A policy may have several errors, and each may be found first; what counts is that it is refused.
  return ours.stage === "load" || ours.codes.some((code) => opa.codes.includes(code)) ? "same" : "different";
}

/** A reply for a person. */
export function replyText(reply: Reply): string {
  switch (reply.kind) {
    case "rows":
      return reply.text;
    case "error":
      return `${reply.stage} error ${[...new Set(reply.codes)].join(", ")}: ${reply.message}`;
    case "stopped":
      return "stopped";
    case "crash":
      return `crash: ${reply.message}`;
  }
}
