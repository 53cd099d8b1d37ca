// SPDX-License-Identifier: Apache-2.0
/** Starts a service of a built peerctl and waits for it to be ready, which it says in its log. */

import { PeerctlError } from "../errors.ts";

export interface TrialService extends AsyncDisposable {
  /** Resolves with what it logged when it began to serve; rejects with what it printed when it ends or takes too long. */
  untilReady(timeoutMs: number): Promise<Readonly<Record<string, unknown>>>;
}

/** Starts `args[0]` of `program` with its other flags; to dispose of it is to stop it and wait for its end. */
export function startService(program: string, args: readonly string[], o: Deno.CommandOptions): TrialService {
  const child = new Deno.Command(program, {
    ...o,
    args: [...args, "-log-format", "json"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const { promise: ready, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  ready.catch(() => {});
  let printed = "";
  let serving: Readonly<Record<string, unknown>> = {};
  const fail = (why: string) =>
    reject(new PeerctlError("state", `Cannot start ${args[0]}: ${why}; it printed: ${printed.trim()}`));
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      const start = printed.lastIndexOf("\n") + 1;
      printed += text;
      for (const line of printed.slice(start).split("\n").slice(0, -1)) {
        if (line.includes('"message":"Serving"')) serving = JSON.parse(line);
        if (line.includes('"message":"Ready"')) resolve(serving);
      }
    }
    fail("it ended");
  })();
  return {
    async untilReady(timeoutMs) {
      const timer = setTimeout(() => fail(`it was not ready within ${timeoutMs} ms`), timeoutMs);
      try {
        return await ready;
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await Promise.all([child.status, reading]);
    },
  };
}
