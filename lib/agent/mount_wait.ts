// SPDX-License-Identifier: Apache-2.0
/** Waits until a path is a mount point. */

import { setTimeout as delay } from "node:timers/promises";

/** Pause before the second look, in ms, and the longest one; each is twice the one before. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;

export interface MountWaitOptions {
  readonly path: string;
  /** The kernel's list, proc_pid_mountinfo(5). */
  readonly mountInfoPath: string;
  /** Ends the wait; what it rejects with is the signal's reason. */
  readonly signal: AbortSignal;
}

/** Resolves when `path` is a mount point. The kernel does not tell (poll(2) on mountinfo is out of reach), so we look. */
export async function waitForMountPoint({ path, mountInfoPath, signal }: MountWaitOptions): Promise<void> {
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    if (mountPoints(await Deno.readTextFile(mountInfoPath)).has(path)) return;
    await abortable(delay(pause, undefined, { signal }), signal);
  }
}

/** The paths at which something is mounted, as the kernel lists them. */
export function mountPoints(mountInfo: string): Set<string> {
  const points = new Set<string>();
  for (const line of mountInfo.split("\n")) {
    const field = line.split(" ", 5)[4];
    if (field !== undefined) points.add(unescape(field));
  }
  return points;
}

/** Space, tab, newline and backslash are written as three octal digits; other bytes are as they are. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

/** The timer rejects with an AbortError of its own. */
async function abortable(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await wait;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
