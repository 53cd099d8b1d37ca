// SPDX-License-Identifier: Apache-2.0
/** Asks OPA, in the program of testdata/peers/opa, what a policy answers. */

import { opaPeer } from "../peers.ts";
import { parseExact } from "./exact_json.ts";
import type { TypedValue } from "./typed_value.ts";

export interface OpaQuestion {
  readonly modules: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly data?: string | undefined;
  readonly query: string;
  /** JSON text; no input when left out. */
  readonly input?: string | undefined;
  /** Rego text that stands in for the input. */
  readonly inputTerm?: string | undefined;
  /** A builtin's error stops the query. */
  readonly strict?: boolean;
}

export interface OpaAnswer {
  readonly results?: readonly Readonly<Record<string, TypedValue>>[];
  readonly errors?: readonly {
    readonly stage: "load" | "eval";
    readonly code: string;
    readonly message: string;
    readonly file?: string;
    readonly row?: number;
    readonly col?: number;
  }[];
}

/** A running peer; `await using` it. Questions may be asked without waiting for answers. */
export interface OpaProcess extends AsyncDisposable {
  ask(question: OpaQuestion): Promise<OpaAnswer>;
}

export async function startOpa(): Promise<OpaProcess> {
  const child = new Deno.Command(await opaPeer(), { stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const stdin = child.stdin.getWriter();
  const waiting: PromiseWithResolvers<OpaAnswer>[] = [];
  const stderr = new Response(child.stderr).text();
  const ended = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) waiting.shift()!.resolve(JSON.parse(line));
    }
    const why = new Error(`the OPA peer ended: ${await stderr}`);
    for (const each of waiting.splice(0)) each.reject(why);
    await child.status;
  })();
  return {
    ask(question) {
      const { inputTerm, data, input, ...rest } = question;
      const line = JSON.stringify({ ...rest, input_term: inputTerm, data: document(data), input: document(input) });
      const answer = Promise.withResolvers<OpaAnswer>();
      waiting.push(answer);
      stdin.write(new TextEncoder().encode(`${line}\n`)).catch(answer.reject);
      return answer.promise;
    },
    async [Symbol.asyncDispose]() {
      await stdin.close().catch(() => {}); // the program may be gone already
      await ended;
    },
  };
}

function document(text: string | undefined): unknown {
  return text === undefined ? undefined : parseExact(text);
}
