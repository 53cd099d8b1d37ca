// SPDX-License-Identifier: Apache-2.0
/** `peerctl policy check`: loads policies and shows errors and warnings. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import type { Output } from "../lib/cli/output.ts";
import { compile } from "../lib/rego/policy.ts";
import { loadPolicyFiles } from "../lib/rego/policy_files.ts";
import { pathArguments } from "./policy_flags.ts";
import { jsonLocation, located, reportingErrors, sourcesOf } from "./policy_report.ts";

export const policyCheckCommand = defineCommand({
  name: "policy check",
  summary: "load policies and show errors and warnings",
  description: "Loads policies and documents and shows each error and warning with its line. Nothing is evaluated.",
  flags: {},
  positional: pathArguments,
  goStyle: false,
  examples: [{ text: "One policy", command: "policy check kubelet.rego" }],
  run: ({ args, output }) => checkPolicy(args, output),
});

async function checkPolicy(paths: readonly string[], output: Output): Promise<number> {
  const { modules, data } = loadPolicyFiles(paths);
  const sources = sourcesOf(modules);
  return await reportingErrors(sources, output, () => {
    const { warnings } = compile(modules, data);
    if (output.format === "json") {
      output.json({
        modules: modules.map(({ path }) => path),
        warnings: warnings.map(({ message, location }) => ({ message, location: jsonLocation(location) })),
      });
      return ExitCode.done;
    }
    for (const { message, location } of warnings) output.note(`warning: ${located(message, location, sources)}`);
    output.result(`${count(modules.length, "policy", "policies")} checked, ${count(warnings.length, "warning")}`);
    return ExitCode.done;
  });
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
