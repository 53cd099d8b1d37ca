// SPDX-License-Identifier: Apache-2.0
/** Runs peerctl as a child process, as a user would, and watches what it prints. */

import { resolve } from "node:path";

/** How long a child, or a line from it, is waited for by default: a cold start under load stays far below. */
const TIMEOUT_MS = 30_000;

/** What a child keeps of our environment: what it needs to find its programs and its module cache. */
const KEPT_VARIABLES =
  /^(PATH|HOME|TMPDIR|LANG|DENO_DIR|DENO_CERT|DENO_TLS_CA_STORE|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|XDG_CACHE_HOME|NPM_CONFIG_.*|[A-Z]+_PROXY)$/i;

const ROOT = new URL("../../", import.meta.url).pathname;

/** What the tests run as peerctl: main.ts, or the built file that PEERCTL_UNDER_TEST names from the repository's root. */
export const PEERCTL_FILE = resolve(ROOT, Deno.env.get("PEERCTL_UNDER_TEST") || "main.ts");

/** The command that runs it: put `command, ...flags` behind it. */
export const peerctlCommand: readonly [string, ...string[]] = commandFor(PEERCTL_FILE);

/** Scripts, and symbolic links to them, are run by this Deno with our configuration; anything else runs itself. */
function commandFor(file: string): [string, ...string[]] {
  if (!Deno.realPathSync(file).endsWith(".ts")) return [file];
  return [Deno.execPath(), "run", "--quiet", "-A", "--config", `${ROOT}deno.json`, file];
}

export interface RunOptions {
  /** Added to a small clean environment (PATH, HOME, DENO_DIR and such); nothing else of ours is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  readonly cwd?: string;
  /** The child is killed and the call rejects after this many milliseconds; default 30,000. */
  readonly timeoutMs?: number;
  /** The file to run instead of `PEERCTL_FILE`, such as a symbolic link to it. */
  readonly mainFile?: string;
}

export interface RunResult {
  /** The exit code; 128 + its number for a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running peerctl; `await using` it, so that it is gone when the test ends. */
export interface PeerctlProcess extends AsyncDisposable {
  readonly pid: number;
  /** All output so far, stdout and stderr together by line as they came. */
  readonly lines: readonly string[];
  /**
   * Resolves with the first line, of either stream and also one already printed, that matches.
   *
   * Rejects when the process ends first, or after `timeoutMs` (default 30,000), with what it printed.
   */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Sends `signal` (default SIGTERM) and resolves with the exit code. */
  stop(signal?: Deno.Signal): Promise<number>;
  /** Sends SIGKILL and resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with the exit code; 128 + its number for a signal. */
  readonly closed: Promise<number>;
}

/** Runs peerctl to its end. */
export async function runPeerctl(args: readonly string[], o: RunOptions = {}): Promise<RunResult> {
  const [program, options] = command(args, o);
  const child = new Deno.Command(program, {
    ...options,
    stdin: o.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, o.timeoutMs ?? TIMEOUT_MS);
  try {
    const [output] = await Promise.all([
      child.output(),
      o.stdin === undefined ? undefined : feed(child.stdin, o.stdin),
    ]);
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
    if (isLate) throw new Error(`peerctl ${args.join(" ")} did not end in time; it printed:\n${stdout}${stderr}`);
    return { code: output.code, stdout: stdout!, stderr: stderr! };
  } finally {
    clearTimeout(timer);
  }
}

/** Starts peerctl and goes on. */
export function startPeerctl(args: readonly string[], o: Omit<RunOptions, "timeoutMs" | "stdin"> = {}): PeerctlProcess {
  return start(...command(args, o));
}

/** Starts a script of a test's own in the same way. */
export function startScript(
  file: string,
  args: readonly string[],
  o: Omit<RunOptions, "timeoutMs" | "stdin" | "mainFile"> = {},
): PeerctlProcess {
  return start(...command(args, { ...o, mainFile: file }));
}

function start(program: string, options: Deno.CommandOptions): PeerctlProcess {
  const child = new Deno.Command(program, { ...options, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  let isEnded = false;
  const onLine = (line: string) => {
    lines.push(line);
    for (const check of [...watchers]) check();
  };
  const ended = Promise.all([child.status, eachLine(child.stdout, onLine), eachLine(child.stderr, onLine)]);
  const closed = ended.then(([status]) => {
    isEnded = true;
    for (const check of [...watchers]) check();
    return status.code;
  });
  const signal = (name: Deno.Signal) => {
    // Between its end and the news of it a signal has no target; that is as good as sent.
    if (!isEnded) {
      try {
        child.kill(name);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  };
  const kill = async () => {
    signal("SIGKILL");
    await closed;
  };
  return {
    pid: child.pid,
    lines,
    closed,
    kill,
    stop(name = "SIGTERM") {
      signal(name);
      return closed;
    },
    waitForLine(pattern, timeoutMs = TIMEOUT_MS) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const fail = (why: string) =>
        reject(new Error(`No line matches ${pattern}: ${why}; printed:\n${lines.join("\n")}`));
      const timer = setTimeout(() => fail(`waited ${timeoutMs} ms`), timeoutMs);
      const check = () => {
        const found = lines.find((line) => pattern.test(line));
        if (found !== undefined) resolve(found);
        else if (isEnded) fail("the process has ended");
      };
      watchers.add(check);
      check();
      return promise.finally(() => {
        watchers.delete(check);
        clearTimeout(timer);
      });
    },
    [Symbol.asyncDispose]: kill,
  };
}

function command(args: readonly string[], o: RunOptions): [string, Deno.CommandOptions] {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) => KEPT_VARIABLES.test(name));
  const [program, ...first] = o.mainFile === undefined ? peerctlCommand : commandFor(o.mainFile);
  return [program, {
    args: [...first, ...args],
    clearEnv: true,
    env: { ...Object.fromEntries(kept), NO_COLOR: "1", ...o.env },
    ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
  }];
}

async function feed(
  stdin: WritableStream<Uint8Array<ArrayBuffer>>,
  data: string | Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await writer.close();
  } catch (error) {
    // A child may end without reading all of it.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
  if (rest !== "") onLine(rest);
}
