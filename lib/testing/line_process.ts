// SPDX-License-Identifier: Apache-2.0
/** Runs a peer program that speaks JSON lines on stdin and stdout and ends when its stdin does. */

/** How long a program may take to end after its stdin did, in milliseconds; then it is killed. */
const STOP_TIMEOUT_MS = 5_000;

export type Line = Readonly<Record<string, unknown>>;

export interface LineProcess {
  readonly pid: number;
  send(line: Line): Promise<void>;
  /** The first line, of those so far and those to come, that `matches`; rejects when the program ends before. */
  line(matches: (line: Line) => boolean): Promise<Line>;
  /** All lines so far. */
  readonly lines: readonly Line[];
  /** Closes stdin, waits for the end and says how it ended; a second call gives the same answer. */
  stop(): Promise<{ code: number; stderr: string }>;
}

interface Waiter {
  matches(line: Line): boolean;
  resolve(line: Line): void;
  reject(error: Error): void;
}

/** Starts `path`; `onLine` sees each line as it comes. */
export function startLineProcess(
  o: { path: string; args: readonly string[]; env?: Record<string, string>; onLine?(line: Line): void },
): LineProcess {
  const child = new Deno.Command(o.path, {
    args: [...o.args],
    env: o.env ?? {},
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const lines: Line[] = [];
  const waiters = new Set<Waiter>();

  const onLine = (line: Line) => {
    lines.push(line);
    o.onLine?.(line);
    for (const waiter of waiters) {
      if (!waiter.matches(line)) continue;
      waiters.delete(waiter);
      waiter.resolve(line);
    }
  };
  const stderr = new Response(child.stderr).text();
  const ended = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) onLine(JSON.parse(part));
    }
    return { code: (await child.status).code, stderr: await stderr };
  })();

  let stopping: Promise<{ code: number; stderr: string }> | undefined;
  return {
    pid: child.pid,
    lines,
    send: (line) => stdin.write(new TextEncoder().encode(JSON.stringify(line) + "\n")),
    line(matches) {
      const known = lines.find(matches);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        const waiter = { matches, resolve, reject };
        waiters.add(waiter);
        ended.then(({ code, stderr }) => {
          if (waiters.delete(waiter)) reject(new Error(`${o.path} ended with ${code}: ${stderr}`));
        }, reject);
      });
    },
    stop() {
      stopping ??= (async () => {
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
        try {
          await stdin.close().catch(() => {}); // the program may be gone already
          const { code, stderr } = await ended;
          return { code, stderr };
        } finally {
          clearTimeout(timer);
        }
      })();
      return stopping;
    },
  };
}
