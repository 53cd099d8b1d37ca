// SPDX-License-Identifier: Apache-2.0
/** Reads what every process on the machine shows of itself in /proc (proc(5)). */

export interface SeenProcess {
  readonly pid: number;
  /** Words separated by blanks. */
  readonly commandLine: string;
  /** Entries NAME=value as at the last exec. */
  readonly environment: readonly string[];
}

/** Every process that may be looked at, but ourselves, kernel threads and zombies. */
export function listProcesses(): SeenProcess[] {
  const found: SeenProcess[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    const commandLine = readWords(`/proc/${name}/cmdline`);
    if (commandLine.length === 0) continue;
    const environment = readWords(`/proc/${name}/environ`);
    found.push({ pid: Number(name), commandLine: commandLine.join(" "), environment });
  }
  return found;
}

/** Sends SIGKILL; one that has ended meanwhile is fine. */
export function killProcess(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The words of a file that ends each with a zero byte; none when the process is gone or another user's. */
function readWords(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\0").filter((word) => word !== "");
  } catch {
    return [];
  }
}
