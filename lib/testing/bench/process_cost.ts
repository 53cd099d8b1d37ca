// SPDX-License-Identifier: Apache-2.0
/** Reads what processes cost from /proc (proc_pid_stat(5), proc_pid_status(5)). */

/** Clock ticks per second in /proc: USER_HZ, which is 100 on every architecture that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** Processor time of all of `pids` together so far, user and system, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
    // utime and stime are fields 14 and 15; what was cut off has two.
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  });
}

/** Resident memory of all of `pids` together, in MiB. */
export function memoryMiB(pids: readonly number[]): number {
  return sum(pids, (pid) => statusKiB(pid, "VmRSS") / 1024);
}

/** The most that was resident of one process so far, in MiB. */
export function peakMemoryMiB(pid: number): number {
  return statusKiB(pid, "VmHWM") / 1024;
}

export function descriptorCount(pids: readonly number[]): number {
  return sum(pids, (pid) => [...Deno.readDirSync(`/proc/${pid}/fd`)].length);
}

function statusKiB(pid: number, field: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}
