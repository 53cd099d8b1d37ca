// SPDX-License-Identifier: Apache-2.0
/** `peerctl policy eval`: asks a query and prints the result as `opa eval` does. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { boolFlag, type ValuesOf } from "../lib/cli/flags.ts";
import type { Output } from "../lib/cli/output.ts";
import { formatJson, fromJson } from "../lib/rego/json.ts";
import { compile, type ResultRow } from "../lib/rego/policy.ts";
import { loadPolicyFiles } from "../lib/rego/policy_files.ts";
import { createTraceRecorder, renderTrace, type TraceNode } from "../lib/rego/trace_tree.ts";
import { objectOf, type Value } from "../lib/rego/values.ts";
import { limitsOf, queryArgument, questionFlags, readInput } from "./policy_flags.ts";
import { jsonLocation, reportingErrors, type Sources, sourcesOf } from "./policy_report.ts";

/** Blanks per level of printed JSON. */
const INDENT = 2;

const flags = {
  ...questionFlags,
  explain: boolFlag("explain", { help: "show which rules were tried and where they failed, as a tree" }),
};

export const policyEvalCommand = defineCommand({
  name: "policy eval",
  summary: "ask a query and print the result as opa eval does",
  description:
    `Loads policies, then reads the input, then asks the query. With --output json the result has the shape of
"opa eval": {"result":[{"expressions":[{"value":...}]}]}, or {} when it is undefined, or {"errors":[...]}.`,
  flags,
  positional: queryArgument,
  goStyle: false,
  examples: [
    {
      text: "Ask a policy, and see why it answers so",
      command: "policy eval -d kubelet.rego -d data/ -i request.json 'data.kubelet.deny' --explain",
    },
  ],
  run: ({ args, values, output }) => evalPolicy(args[0]!, values, output),
});

async function evalPolicy(query: string, values: ValuesOf<typeof flags>, output: Output): Promise<number> {
  const { modules, data } = loadPolicyFiles(values.data);
  const sources = new Map([...sourcesOf(modules), ["query", query]]);
  return await reportingErrors(sources, output, async () => {
    const recorder = values.explain ? createTraceRecorder() : undefined;
    const policy = compile(modules, data, {
      limits: limitsOf(values),
      strictBuiltinErrors: values.strictBuiltinErrors,
      print: (line) => output.note(`print: ${line}`),
      ...(recorder === undefined ? {} : { tracer: recorder }),
    });
    const input = await readInput(values.input);
    let rows: readonly ResultRow[];
    try {
      rows = policy.evaluate(query, input);
    } catch (error) {
      // An evaluation that stops is what one most wants explained.
      if (recorder !== undefined && output.format === "text") explain(recorder.take(), sources, output);
      throw error;
    }
    if (output.format === "json") output.result(formatJson(asJson(rows, recorder?.take().roots), INDENT));
    else {
      output.result(asText(rows));
      if (recorder !== undefined) explain(recorder.take(), sources, output);
    }
    return ExitCode.done;
  });
}

function explain(
  { roots, isCut }: { readonly roots: readonly TraceNode[]; readonly isCut: boolean },
  sources: Sources,
  output: Output,
): void {
  output.result(roots.length === 0 ? "no rule was tried" : renderTrace(roots, sources));
  if (isCut) output.note("the explanation is cut: too many rules were tried");
}

/** `{"result":[{"expressions":[{"value":…,"text":…,"location":…}],"bindings":{…}}]}`, or `{}`. */
function asJson(rows: readonly ResultRow[], trace: readonly TraceNode[] | undefined): Value {
  const result = rows.map(({ expressions, bindings }) =>
    objectOf([
      [
        "expressions",
        expressions.map(({ value, text, location }) =>
          objectOf([["value", value], ["text", text], ["location", fromJson(jsonLocation({ ...location, file: "" }))]])
        ),
      ],
      ...(bindings.size === 0 ? [] : [["bindings", objectOf(bindings)] as const]),
    ])
  );
  return objectOf([
    ...(rows.length === 0 ? [] : [["result", result] as const]),
    ...(trace === undefined ? [] : [["explanation", fromJson(trace.map(jsonNode))] as const]),
  ]);
}

function jsonNode({ ref, location, defined, failed, children }: TraceNode): unknown {
  return {
    ref,
    location: jsonLocation(location),
    state: defined === undefined ? "stopped" : defined ? "defined" : "undefined",
    failed: failed.map(jsonLocation),
    children: children.map(jsonNode),
  };
}

function asText(rows: readonly ResultRow[]): string {
  if (rows.length === 0) return "undefined";
  return rows.map(({ expressions, bindings }) =>
    bindings.size > 0
      ? [...bindings].map(([name, value]) => `${name} = ${formatJson(value, INDENT)}`).join("\n")
      : expressions.map(({ value }) => formatJson(value, INDENT)).join("\n")
  ).join("\n\n");
}
