// SPDX-License-Identifier: Apache-2.0
/** Keeps policies that once gave another answer than OPA, with OPA's answer, as cases for ever. */

import { type Question, type Reply, replyText } from "./differential.ts";

const DIR = new URL("../../../testdata/rego/regressions/", import.meta.url);

export interface Regression {
  readonly name: string;
  readonly question: Question;
  readonly want: Reply;
}

/** What is written: like a case of OPA's, for people to read. */
interface RegressionFile {
  /** Which OPA answered. */
  readonly opa: string;
  readonly query: string;
  readonly strict?: boolean;
  readonly policy: readonly string[];
  readonly data: string;
  readonly input?: string;
  readonly want: { readonly rows: string } | { readonly stage: "load" | "eval"; readonly codes: readonly string[] };
}

export async function saveRegression(name: string, question: Question, opa: Reply): Promise<void> {
  if (opa.kind !== "rows" && opa.kind !== "error") throw new Error(`OPA gave no answer: ${replyText(opa)}`);
  const file: RegressionFile = {
    opa: await pinnedOpa(),
    query: question.query,
    ...(question.strict ? { strict: true } : {}),
    policy: question.policy.trimEnd().split("\n"),
    data: question.data,
    ...(question.input === undefined ? {} : { input: question.input }),
    want: opa.kind === "rows" ? { rows: opa.text } : { stage: opa.stage, codes: [...new Set(opa.codes)] },
  };
  await Deno.mkdir(DIR, { recursive: true });
  await Deno.writeTextFile(new URL(`${name}.json`, DIR), `${JSON.stringify(file, null, 2)}\n`);
}

export async function loadRegressions(): Promise<Regression[]> {
  const names = (await Array.fromAsync(Deno.readDir(DIR))).map(({ name }) => name).filter((name) =>
    name.endsWith(".json")
  );
  return await Promise.all(
    names.sort().map(async (name) => {
      const file = JSON.parse(await Deno.readTextFile(new URL(name, DIR))) as RegressionFile;
      return {
        name: name.slice(0, -".json".length),
        question: {
          policy: `${file.policy.join("\n")}\n`,
          data: file.data,
          input: file.input,
          query: file.query,
          strict: file.strict ?? false,
        },
        want: "rows" in file.want
          ? { kind: "rows", text: file.want.rows }
          : { kind: "error", ...file.want, message: "" },
      };
    }),
  );
}

async function pinnedOpa(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../peers/opa/go.mod", DIR));
  return /open-policy-agent\/opa (v\S+)/.exec(text)![1]!;
}
