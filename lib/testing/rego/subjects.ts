// SPDX-License-Identifier: Apache-2.0
/** The two evaluators that cases are put to: lib/rego, and OPA itself to check the judge. */

import { formatJson, parseJson } from "../../rego/json.ts";
import { RegoError } from "../../rego/limits.ts";
import { compile } from "../../rego/policy.ts";
import { objectOf, type Value } from "../../rego/values.ts";
import type { Outcome } from "./judge.ts";
import type { OpaCase } from "./opa_cases.ts";
import type { OpaProcess } from "./opa_process.ts";
import { typedToJson } from "./typed_value.ts";

/** Puts a case to lib/rego. What is not a RegoError is a defect, and comes out as the error code "crash". */
export function askRego(test: OpaCase): Outcome {
  let stage: "load" | "eval" = "load";
  try {
    const modules = test.modules.map((text, i) => ({ path: `test-${i}.rego`, text }));
    const data = test.data === undefined ? undefined : parseJson(test.data);
    const policy = compile(modules, data, { strictBuiltinErrors: test.strictErrors });
    const input = inputOf(test);
    stage = "eval";
    const rows = policy.evaluate(test.query, input);
    return { kind: "rows", rows: rows.map(({ bindings }) => formatJson(objectOf(bindings))) };
  } catch (error) {
    if (error instanceof RegoError) {
      // A query is compiled when it is asked.
      const isLoad = stage === "load" || error.code.startsWith("rego_");
      return { kind: "error", stage: isLoad ? "load" : "eval", code: error.code, message: error.message };
    }
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    return { kind: "error", stage, code: "crash", message: text.split("\n").slice(0, 4).join(" ") };
  }
}

function inputOf(test: OpaCase): Value | undefined {
  if (test.inputTerm !== undefined) {
    return compile([]).evaluate(`input_term = ${test.inputTerm}`)[0]?.bindings.get("input_term");
  }
  return test.input === undefined ? undefined : parseJson(test.input);
}

/** Puts a case to OPA. */
export async function askOpa(opa: OpaProcess, test: OpaCase): Promise<Outcome> {
  const answer = await opa.ask({
    modules: Object.fromEntries(test.modules.map((text, i) => [`test-${i}.rego`, text])),
    data: test.data,
    query: test.query,
    input: test.input,
    inputTerm: test.inputTerm,
    strict: test.strictErrors,
  });
  if (answer.errors !== undefined) {
    const { stage, code, message } = answer.errors[0]!;
    return { kind: "error", stage, code, message };
  }
  const rows = (answer.results ?? []).map((bindings) => {
    const members = Object.entries(bindings).map(([name, value]) => `${JSON.stringify(name)}:${typedToJson(value)}`);
    return `{${members.join()}}`;
  });
  return { kind: "rows", rows };
}
