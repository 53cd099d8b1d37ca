// SPDX-License-Identifier: Apache-2.0
/** Tells one process from every other, now and later: by pid, start time and a marker in its environment. */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { PeerctlError } from "../../errors.ts";

/** A process that was seen; the kernel gives its pid to another one once it is gone, but never both together. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and start, decimal (proc(5), /proc/pid/stat field 22). */
  readonly startTime: string;
}

/** What pids and start times refer to: other boots and other pid namespaces count their own. */
export interface ProcessSpace {
  readonly bootId: string;
  /** As the link reads: "pid:[4026531836]". */
  readonly pidNamespace: string;
}

/** An entry "NAME=value" of an environment, given to a process so that it and all it starts can be found again. */
export type Marker = `${string}=${string}`;

/** Name of the marker that everything in one pod VM carries. */
export const VM_MARKER_NAME = "PEERCTL_VM";

/** Fields of /proc/pid/stat after the command's name, counted from 0: field 3 is the state, field 22 the start time. */
const STATE = 0, START_TIME = 19;

/** How many processes are looked at in parallel: enough to hide the latency, few enough to stay unnoticed. */
const SCAN_WIDTH = 16;

/** Makes the value of a marker that nobody guesses: 128 random bits in hex. */
export function randomMarkerValue(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}

/**
 * Reads what this process's pids refer to.
 *
 * @throws {PeerctlError} kind "config" when /proc is missing or shows another pid namespace than ours.
 */
export async function readProcessSpace(): Promise<ProcessSpace> {
  try {
    const [bootId, pidNamespace, self] = await Promise.all([
      Deno.readTextFile("/proc/sys/kernel/random/boot_id"),
      Deno.readLink("/proc/self/ns/pid"),
      Deno.readLink("/proc/self"),
    ]);
    if (self !== String(Deno.pid)) {
      throw new PeerctlError("config", "Cannot tell processes apart: /proc belongs to another pid namespace");
    }
    return { bootId: bootId.trim(), pidNamespace };
  } catch (cause) {
    if (cause instanceof PeerctlError) throw cause;
    throw new PeerctlError("config", "Cannot tell processes apart: /proc cannot be read", { cause });
  }
}

/** The identity of the process that has this pid now; undefined when there is none, or only its zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name is in parentheses and may itself hold blanks and parentheses: what counts comes after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[STATE], startTime = fields[START_TIME];
  if (state === undefined || startTime === undefined || "ZXx".includes(state)) return undefined;
  return { pid, startTime };
}

/** True if exactly this process still runs. */
export function isRunning(process: ProcessIdentity): boolean {
  return identifyProcess(process.pid)?.startTime === process.startTime;
}

/** True if exactly this process still runs and carries the marker. */
export async function isRunningMarked(process: ProcessIdentity, marker: Marker): Promise<boolean> {
  return isRunning(process) && await carries(process.pid, Buffer.from(marker)) && isRunning(process);
}

/** Every running process, but ourselves, whose environment at its last exec held the marker. */
export async function findMarked(marker: Marker): Promise<ProcessIdentity[]> {
  const entry = Buffer.from(marker);
  const pids: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (/^\d+$/.test(name) && Number(name) !== Deno.pid) pids.push(Number(name));
  }
  const found: ProcessIdentity[] = [];
  await Promise.all(Array.from({ length: SCAN_WIDTH }, async () => {
    for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
      const before = identifyProcess(pid);
      if (before && await carries(pid, entry) && isRunning(before)) found.push(before);
    }
  }));
  return found;
}

/** Sends a signal to exactly this process; false if it is gone already, or was never ours to signal. */
export function signalProcess(process: ProcessIdentity, signal: Deno.Signal): boolean {
  if (!isRunning(process)) return false;
  try {
    Deno.kill(process.pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function carries(pid: number, entry: Buffer): Promise<boolean> {
  let environment: Buffer;
  try {
    const bytes = await Deno.readFile(`/proc/${pid}/environ`);
    environment = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch {
    return false; // gone, a kernel thread, or of another user
  }
  for (let at = environment.indexOf(entry); at !== -1; at = environment.indexOf(entry, at + 1)) {
    const end = at + entry.byteLength;
    if ((at === 0 || environment[at - 1] === 0) && (end === environment.byteLength || environment[end] === 0)) {
      return true;
    }
  }
  return false;
}
