// SPDX-License-Identifier: Apache-2.0
/** Runs peerctl as a child process, as a user would, and watches what it prints. */

export interface RunOptions {
  /** Added to a small clean environment (PATH, HOME, DENO_DIR, LANG); nothing else of ours is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  readonly cwd?: string;
  /** The child is killed and the call rejects after this many milliseconds; default 30,000. */
  readonly timeoutMs?: number;
  /** The file to run instead of main.ts, such as a symbolic link to it. */
  readonly mainFile?: string;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running peerctl. Call `closed` or `kill` before the test ends. */
export interface PeerctlProcess extends AsyncDisposable {
  readonly pid: number;
  /** All output so far, stdout and stderr together by line as they came. */
  readonly lines: readonly string[];
  /** Resolves with the first line (of stdout or stderr, also one already printed) that matches; rejects when the process ends first or after `timeoutMs` (default 30,000). */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Sends `signal` (default SIGTERM) and resolves with the exit code. */
  stop(signal?: Deno.Signal): Promise<number>;
  /** Sends SIGKILL and resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with the exit code (128 + number for a signal). */
  readonly closed: Promise<number>;
}

export function runPeerctl(_args: readonly string[], _o: RunOptions = {}): Promise<RunResult> {
  throw new Error("not yet");
}

export function startPeerctl(
  _args: readonly string[],
  _o: Omit<RunOptions, "timeoutMs" | "stdin"> = {},
): PeerctlProcess {
  throw new Error("not yet");
}
