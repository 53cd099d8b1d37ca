// SPDX-License-Identifier: Apache-2.0
/** Reads OPA's own conformance cases, as its own reader sees them, from the Go module that testdata/peers/opa pins. */

import { opaPeer, peerPath } from "../peers.ts";
import { parseExact } from "./exact_json.ts";

const OPA_DIR = new URL("../../../testdata/peers/opa", import.meta.url).pathname;

const OPA_MODULE = "github.com/open-policy-agent/opa";

/** Where the cases lie inside the module. */
const CASES_FOLDER = "v1/test/cases/testdata/v1";

/** One case. Texts of documents are JSON, with numbers as they were written. */
export interface OpaCase {
  /** Folder and file below CASES_FOLDER: "every/every.yaml". */
  readonly file: string;
  /** Not always unique. */
  readonly note: string;
  readonly query: string;
  readonly modules: readonly string[];
  readonly data: string | undefined;
  readonly input: string | undefined;
  /** Rego text that stands in for the input. */
  readonly inputTerm: string | undefined;
  /** JSON texts, one of each result's bindings by name. */
  readonly wantRows: readonly string[] | undefined;
  readonly wantErrorCode: string | undefined;
  /** A list that a variable is bound to may come in any order. */
  readonly sortBindings: boolean;
  readonly ignoreGeneratedVariables: boolean;
  /** A builtin's error stops the query. */
  readonly strictErrors: boolean;
}

export interface OpaCases {
  /** Of OPA, such as "v1.22.0". */
  readonly version: string;
  readonly cases: readonly OpaCase[];
}

interface CaseLine {
  readonly file: string;
  readonly note: string;
  readonly query: string;
  readonly modules?: readonly string[];
  readonly data?: unknown;
  readonly input?: unknown;
  readonly input_term?: string;
  readonly want_result?: readonly unknown[];
  readonly want_defined?: boolean;
  readonly want_error?: string;
  readonly want_error_code?: string;
  readonly sort_bindings?: boolean;
  readonly ignore_generated_vars?: boolean;
  readonly strict_error?: boolean;
  readonly experimental_keywords?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Downloads the module if need be (checked by Go against go.sum) and reads every case. */
export async function loadOpaCases(): Promise<OpaCases> {
  const peer = await opaPeer();
  const listed = JSON.parse(
    await outputOf(peerPath("go"), ["mod", "download", "-json", await pinnedModule()], OPA_DIR),
  ) as { readonly Dir: string; readonly Version: string };
  const text = await outputOf(peer, ["cases", `${listed.Dir}/${CASES_FOLDER}`], OPA_DIR);
  const cases = text.split("\n").filter((line) => line !== "").map(readCase);
  // Go sorts by note alone, and does not keep the order of equal ones.
  cases.sort((a, b) => compare(a.file, b.file) || compare(a.note, b.note) || compare(a.query, b.query));
  return { version: listed.Version, cases };
}

/** `module@version` as go.mod has it. */
async function pinnedModule(): Promise<string> {
  const text = await Deno.readTextFile(`${OPA_DIR}/go.mod`);
  const version = new RegExp(`${OPA_MODULE} (v\\S+)`).exec(text)?.[1];
  if (version === undefined) throw new Error(`testdata/peers/opa/go.mod does not pin ${OPA_MODULE}`);
  return `${OPA_MODULE}@${version}`;
}

function readCase(line: string): OpaCase {
  const read = parseExact(line) as CaseLine;
  if (read.experimental_keywords || read.env !== undefined) {
    throw new Error(`The case "${read.note}" of ${read.file} needs what this runner does not have`);
  }
  return {
    file: read.file,
    note: read.note,
    query: read.query,
    modules: read.modules ?? [],
    data: textOf(read.data),
    input: textOf(read.input),
    inputTerm: read.input_term,
    wantRows: read.want_result?.map((row) => JSON.stringify(row)),
    // Some cases give the code only in the text: "test-0.rego:4: eval_type_error: …".
    wantErrorCode: read.want_error_code ?? /\beval_[a-z_]+_error\b/.exec(read.want_error ?? "")?.[0],
    sortBindings: read.sort_bindings ?? false,
    ignoreGeneratedVariables: read.ignore_generated_vars ?? false,
    strictErrors: read.strict_error ?? false,
  };
}

function textOf(document: unknown): string | undefined {
  return document === undefined ? undefined : JSON.stringify(document);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function outputOf(program: string, args: string[], cwd: string): Promise<string> {
  const command = new Deno.Command(program, { args, cwd, env: { GOTOOLCHAIN: "local" }, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
