// SPDX-License-Identifier: Apache-2.0
/** Reads what the operating system gives a process at start: the name it was called by, its streams, how to start it again. */

export interface Start {
  /** The command whose name or alias peerctl was called by; "" when it was called as itself. */
  readonly calledAs: string;
  readonly selfCommand: readonly string[];
  readonly env: Record<string, string>;
}

export interface StartOptions {
  /** All names and aliases of commands. */
  readonly names: readonly string[];
  /** The URL of main.ts as it was started, which may be a symbolic link to it. */
  readonly mainUrl: string;
}

/**
 * Finds the name in, first, PEERCTL_ARGV0, which a launcher sets that cannot pass on its own name; then the file that
 * deno runs, which may be a symbolic link beside main.ts; then argv[0], which for a compiled peerctl is the symbolic
 * link it was started by. (Deno.execPath() is of no use: it has resolved the link.)
 *
 * PEERCTL_ARGV0 is taken out of the environment, so that a peerctl started by this one runs what it is told.
 * PEERCTL_SELF, set by a launcher, is the program to start again; it stays.
 */
export function readStart(o: StartOptions): Start {
  const given = [Deno.env.get("PEERCTL_ARGV0"), new URL(o.mainUrl).pathname, firstArgument()];
  Deno.env.delete("PEERCTL_ARGV0");
  const calledAs = given.map((path) => basename(path ?? "")).find((name) => o.names.includes(name)) ?? "";
  const env = Deno.env.toObject();
  return { calledAs, selfCommand: selfCommand(env.PEERCTL_SELF, o.mainUrl), env };
}

/** argv[0] as the kernel keeps it. (node:process knows it too, but loading it costs more than the rest of a start.) */
function firstArgument(): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/self/cmdline").split("\0")[0];
  } catch {
    // No /proc: then peerctl is called as itself.
    return undefined;
  }
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function selfCommand(launcher: string | undefined, mainUrl: string): string[] {
  if (launcher) return [launcher];
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = Deno.realPathSync(new URL(mainUrl));
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "-A",
    "--config",
    `${main.slice(0, -basename(main).length)}deno.json`,
    main,
  ];
}

/** How long to wait before writing again to a pipe that is full and does not block, in milliseconds. */
const FULL_PIPE_WAIT_MS = 2;

/**
 * Returns a function that writes text at once and whole. When the reader has gone (`peerctl help | head -n 1`) it
 * writes nothing more and says nothing: that is the reader's choice, not a failure.
 */
export function createWriter(stream: { writeSync(bytes: Uint8Array): number }): (text: string) => void {
  let isGone = false;
  return (text) => {
    let bytes = new TextEncoder().encode(text);
    while (bytes.byteLength > 0 && !isGone) {
      try {
        bytes = bytes.subarray(stream.writeSync(bytes));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) isGone = true;
        else if (error instanceof Deno.errors.WouldBlock) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_WAIT_MS);
        } else throw error;
      }
    }
  };
}
