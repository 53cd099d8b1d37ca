// SPDX-License-Identifier: Apache-2.0
/** Flags that several commands of `peerctl policy` share, and what is made of their values. */

import { boolFlag, durationFlag, intFlag, listFlag, stringFlag, type ValuesOf } from "../lib/cli/flags.ts";
import { PeerctlError } from "../lib/errors.ts";
import { parseDocument } from "../lib/rego/documents.ts";
import { DEFAULT_LIMITS, type Limits } from "../lib/rego/limits.ts";
import { readPolicyFile } from "../lib/rego/policy_files.ts";
import type { Value } from "../lib/rego/values.ts";

/** Longest list of files on a command line; a shell passes on no more than some 10,000 paths. */
export const MAX_PATHS = 10_000;

/** What one evaluation may cost. */
export const limitFlags = {
  maxSteps: intFlag("max-steps", {
    default: DEFAULT_LIMITS.maxSteps,
    min: 1,
    help: "steps after which an evaluation is stopped",
  }),
  timeout: durationFlag("timeout", {
    default: `${DEFAULT_LIMITS.maxMillis / 1000}s`,
    min: "1ms",
    help: "time after which an evaluation is stopped",
  }),
};

/** One query, what it is asked of, and the input. */
export const questionFlags = {
  data: listFlag("d", { placeholder: "PATH", help: "policy, document (JSON, YAML) or folder of them to load" }),
  input: stringFlag("i", { placeholder: "FILE", help: "input document (JSON, YAML); - reads JSON from stdin" }),
  strictBuiltinErrors: boolFlag("strict-builtin-errors", {
    help: "stop at a builtin's error instead of taking its call for undefined",
  }),
  ...limitFlags,
};

export const queryArgument = { name: "QUERY", help: "what to ask, such as 'data.kubelet.deny'", min: 1, max: 1 };

export const pathArguments = { name: "PATH", help: "policies, documents and folders of them", min: 1, max: MAX_PATHS };

export function limitsOf(values: ValuesOf<typeof limitFlags>): Partial<Limits> {
  return { maxSteps: values.maxSteps, maxMillis: values.timeout };
}

/** Reads the input; undefined when none was given. To be called when the policy is compiled, not before. */
export async function readInput(path: string): Promise<Value | undefined> {
  if (path === "") return undefined;
  if (path !== "-") return parseDocument(path, readPolicyFile(path));
  try {
    return parseDocument("stdin", await new Response(Deno.stdin.readable).text());
  } catch (cause) {
    throw new PeerctlError("config", "Cannot read the input from stdin", { cause });
  }
}
