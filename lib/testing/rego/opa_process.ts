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

/** A question on its way. */
interface Waiting {
  readonly line: Uint8Array<ArrayBuffer>;
  readonly answer: PromiseWithResolvers<OpaAnswer>;
}

/** What is answered for the question at which OPA ended: Go cannot recover from a stack that overflows. */
const ENDED: OpaAnswer = { errors: [{ stage: "eval", code: "panic", message: "the OPA peer ended" }] };

export async function startOpa(): Promise<OpaProcess> {
  const path = await opaPeer();
  const waiting: Waiting[] = [];
  let isStopping = false;
  let current = start();

  /** Starts the program and asks it everything that is waiting. */
  function start() {
    const child = new Deno.Command(path, { stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    const stdin = child.stdin.getWriter();
    const ended = readAnswers(child).then(() => {
      if (isStopping) return;
      waiting.shift()?.answer.resolve(ENDED);
      current = start();
    });
    // A program that has ended does not read; its successor is asked again.
    const send = (line: Uint8Array<ArrayBuffer>) => void stdin.write(line).catch(() => {});
    for (const { line } of waiting) send(line);
    return { stdin, ended, send };
  }

  async function readAnswers(child: Deno.ChildProcess): Promise<void> {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) waiting.shift()!.answer.resolve(JSON.parse(line));
    }
    await child.status;
  }

  return {
    ask(question) {
      const { inputTerm, data, input, ...rest } = question;
      const text = JSON.stringify({ ...rest, input_term: inputTerm, data: document(data), input: document(input) });
      const line = new TextEncoder().encode(`${text}\n`);
      const answer = Promise.withResolvers<OpaAnswer>();
      waiting.push({ line, answer });
      current.send(line);
      return answer.promise;
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      await current.stdin.close().catch(() => {}); // the program may be gone already
      await current.ended;
    },
  };
}

function document(text: string | undefined): unknown {
  return text === undefined ? undefined : parseExact(text);
}
