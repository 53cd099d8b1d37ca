// SPDX-License-Identifier: Apache-2.0
/** Shows what is wrong with a policy: for a person with the source line and a caret, for a program as `opa` does. */

import { ExitCode } from "../lib/cli/exit_code.ts";
import type { Output } from "../lib/cli/output.ts";
import { RegoError, type RegoLocation } from "../lib/rego/limits.ts";
import type { RegoModule } from "../lib/rego/policy.ts";
import { placeText, printable, sourceFrame } from "../lib/rego/source_frame.ts";

/** Policy texts by the path that locations name. */
export type Sources = ReadonlyMap<string, string>;

export function sourcesOf(modules: readonly RegoModule[]): Sources {
  return new Map(modules.map(({ path, text }) => [path, text]));
}

/** A location as OPA writes it in JSON. */
export function jsonLocation({ file, line, column }: RegoLocation): Record<string, unknown> {
  return { ...(file === "" ? {} : { file }), row: line, col: column };
}

/** A message with its place, the source line and a caret. */
export function located(message: string, location: RegoLocation | undefined, sources: Sources): string {
  if (location === undefined) return printable(message);
  const frame = sourceFrame(sources.get(location.file) ?? "", location);
  return `${printable(`${placeText(location)}: ${message}`)}${frame === "" ? "" : `\n${frame}`}`;
}

/**
 * Runs `body`; a RegoError ends it with exit code 1 and is shown, in JSON on stdout: `{"errors":[…]}`. Other errors
 * are the caller's.
 */
export async function reportingErrors(
  sources: Sources,
  output: Output,
  body: () => number | Promise<number>,
): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof RegoError)) throw error;
    if (output.format === "json") output.json({ errors: error.diagnostics.map(jsonDiagnostic) });
    else showError(error, sources, output);
    return ExitCode.failed;
  }
}

function jsonDiagnostic({ code, message, location, hint }: RegoError["diagnostics"][number]): Record<string, unknown> {
  return {
    message,
    code,
    ...(location === undefined ? {} : { location: jsonLocation(location) }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function showError(error: RegoError, sources: Sources, output: Output): void {
  for (const { code, message, location, hint } of error.diagnostics) {
    output.note(`error: ${located(`${code}: ${message}`, location, sources)}`);
    if (hint !== undefined) output.note(`hint: ${printable(hint)}`);
  }
}
