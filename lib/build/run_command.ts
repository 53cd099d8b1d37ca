// SPDX-License-Identifier: Apache-2.0
/** Runs a program of the build to its end and gives what it printed, or one error that says what it was and why it failed. */

import { PeerctlError } from "../errors.ts";

/** How much of a failed program's output is repeated, in characters. */
const SHOWN_CHARACTERS = 2000;

export interface CommandRun {
  readonly cwd?: string;
  /** The whole environment when `clearEnv` is set, else what is added to ours. */
  readonly env?: Readonly<Record<string, string>>;
  readonly clearEnv?: boolean;
  /** It is killed after this many milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Returns its stdout.
 *
 * @throws {PeerctlError} kind "state" when it cannot be started, takes too long or does not exit with 0.
 */
export async function runCommand(program: string, args: readonly string[], o: CommandRun): Promise<string> {
  const line = [program, ...args].join(" ");
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  try {
    const { success, code, signal, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(o.timeoutMs),
      ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
      ...(o.env === undefined ? {} : { env: { ...o.env } }),
      ...(o.clearEnv === undefined ? {} : { clearEnv: o.clearEnv }),
    }).output();
    if (success) return decode(stdout);
    const said = (decode(stderr) + decode(stdout)).trim().slice(-SHOWN_CHARACTERS);
    throw new PeerctlError("state", `Cannot run "${line}": it ended with ${signal ?? `exit code ${code}`}: ${said}`);
  } catch (cause) {
    if (cause instanceof PeerctlError) throw cause;
    throw new PeerctlError("state", `Cannot run "${line}"`, { cause });
  }
}
