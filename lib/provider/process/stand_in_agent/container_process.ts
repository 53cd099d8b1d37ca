// SPDX-License-Identifier: Apache-2.0
/** One process of a container, from its preparation to its exit status, with its three streams. */

import { constants } from "node:os";
import { Code, RpcError } from "../../../ttrpc/status.ts";
import { abortable } from "./abortable.ts";
import { createOutput, type Output } from "./output.ts";

/** Most bytes of stdin that may wait for the process to read, in bytes: two of the largest messages. */
const MAX_PENDING_STDIN_BYTES = 8 << 20;

/** An exit status of 128 + n says that signal n ended the process (POSIX shells, kata-agent). */
const SIGNAL_STATUS = 128;

/** Number to name, without the names that mean the same number. */
const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name as Deno.Signal]));

export interface ProcessSpec {
  /** Program first; not empty. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
}

export interface ContainerProcess {
  readonly state: "created" | "running" | "ended";
  /** Resolves with the exit status; of a process that was ended before it ran, too. */
  readonly exitStatus: Promise<number>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** @throws {RpcError} when it ran before, or its program cannot be started. */
  start(): void;
  /** Sends signal `number` to it; none if it is over. Before it runs only SIGKILL and SIGTERM mean something. */
  signal(number: number): void;
  /** Resolves with the number of bytes when the process's pipe took them; nothing to write closes it. */
  writeStdin(data: Uint8Array, signal: AbortSignal): Promise<number>;
  closeStdin(): void;
  /** Lets go of its pipes; the process itself must be over, or nobody's concern. */
  release(): Promise<void>;
}

/** Prepares a process; nothing runs before `start`. */
export function createContainerProcess(spec: ProcessSpec): ContainerProcess {
  const stdout = createOutput(), stderr = createOutput();
  const exit = Promise.withResolvers<number>();
  let state: ContainerProcess["state"] = "created";
  let child: Deno.ChildProcess | undefined;
  let stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | undefined;
  let pendingStdin = 0;

  function end(status: number): void {
    state = "ended";
    stdin?.abort().catch(() => {});
    stdin = undefined;
    stdout.processEnded();
    stderr.processEnded();
    exit.resolve(status);
  }

  function closeStdin(): void {
    stdin?.close().catch(() => {});
    stdin = undefined;
  }

  return {
    get state() {
      return state;
    },
    exitStatus: exit.promise,
    stdout,
    stderr,

    start() {
      if (state !== "created") {
        throw new RpcError(Code.failedPrecondition, "Cannot start process: it was started or ended before");
      }
      const spawned = spawn(spec);
      child = spawned;
      state = "running";
      stdin = spawned.stdin.getWriter();
      stdin.closed.catch(() => {}); // the process closed its end: the next write tells
      stdout.attach(spawned.stdout);
      stderr.attach(spawned.stderr);
      spawned.status.then(({ code }) => end(code));
    },

    signal(number) {
      const name = signalName(number);
      if (state === "created" && (name === "SIGKILL" || name === "SIGTERM")) end(SIGNAL_STATUS + number);
      if (state !== "running" || name === undefined) return;
      try {
        child?.kill(name);
      } catch {
        // It is over, and we have not been told yet.
      }
    },

    async writeStdin(data, signal) {
      if (data.byteLength === 0) {
        closeStdin();
        return 0;
      }
      const writer = stdin;
      if (!writer) throw new RpcError(Code.failedPrecondition, "Cannot write to stdin: it is not open");
      if (pendingStdin + data.byteLength > MAX_PENDING_STDIN_BYTES) {
        throw new RpcError(Code.resourceExhausted, `Cannot write to stdin: ${pendingStdin} bytes wait to be read`);
      }
      pendingStdin += data.byteLength;
      const written = writer.write(Uint8Array.from(data)).finally(() => pendingStdin -= data.byteLength);
      try {
        await abortable(written, signal);
      } catch (cause) {
        written.catch(() => {});
        signal.throwIfAborted();
        throw new RpcError(Code.failedPrecondition, "Cannot write to stdin: the process closed it", { cause });
      }
      return data.byteLength;
    },

    closeStdin,

    async release() {
      closeStdin();
      await Promise.all([stdout.release(), stderr.release()]);
    },
  };
}

/**
 * Turns a signal's number into its name; undefined for 0, which is only a question.
 *
 * @throws {RpcError} INVALID_ARGUMENT for any other number that is no signal here.
 */
export function signalName(number: number): Deno.Signal | undefined {
  const name = signalNames.get(number);
  if (name === undefined && number !== 0) {
    throw new RpcError(Code.invalidArgument, `Cannot send signal ${number}: there is no such signal`);
  }
  return name;
}

/**
 * Reads an OCI environment, the last of several entries for one name counting.
 *
 * @param added what is put in afterwards, whatever the entries say.
 */
export function environmentOf(entries: readonly string[], added: Readonly<Record<string, string>>) {
  const env: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    const at = entry.indexOf("=");
    if (at > 0) env[entry.slice(0, at)] = entry.slice(at + 1);
  }
  return Object.assign(env, added);
}

function spawn(spec: ProcessSpec): Deno.ChildProcess & { stdin: WritableStream<Uint8Array<ArrayBuffer>> } {
  const [program = "", ...args] = spec.args;
  // Only root can become someone else; without it everything runs as us, which the stand-in says of itself.
  const isRoot = Deno.uid() === 0;
  try {
    return new Deno.Command(program, {
      args,
      env: spec.env,
      clearEnv: true,
      cwd: isDirectory(spec.cwd) ? spec.cwd : "/",
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(isRoot && spec.uid !== 0 ? { uid: spec.uid } : {}),
      ...(isRoot && spec.gid !== 0 ? { gid: spec.gid } : {}),
    }).spawn();
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such program"
      : cause instanceof Deno.errors.PermissionDenied
      ? "it may not be executed"
      : "it cannot be run";
    throw new RpcError(Code.internal, `Cannot start ${JSON.stringify(program)}: ${why}`, { cause });
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
