// SPDX-License-Identifier: Apache-2.0
/** Lets one end of the agent path stop reading, and measures what each hop keeps meanwhile. */

import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { AgentHops } from "./agent_path.ts";
import type { BenchAgent, CallKind, Load, Measured } from "./load.ts";
import { memoryMiB } from "./process_cost.ts";
import { socketQueues } from "./socket_queues.ts";

/** What one call carries, in bytes: what a shim asks for at once. */
const CALL_BYTES = 32 << 10;

/** Calls on their way when the reader stops: 64 MiB, far more than all buffers take. */
const IN_FLIGHT = 2048;

/** How many calls there are in all. */
const COUNT = 2 * IN_FLIGHT;

const CALLS: Record<Direction, CallKind> = {
  replies: { call: "read", bytes: CALL_BYTES, inFlight: IN_FLIGHT },
  requests: { call: "copy", bytes: CALL_BYTES, inFlight: IN_FLIGHT },
};

/** How often is looked at what is held, in milliseconds. */
const LOOK_MS = 250;

/** How much longer bytes may take to fill what lies between writer and reader, in milliseconds, on a busy machine. */
const FILL_MS = 30_000;

export type Direction = "replies" | "requests";

/** The most that a hop kept while the reader did not read. */
export interface Held {
  /**
   * Bytes that the process had read and not yet written. It may be off by one call, for the writer counts what it has
   * written whole, and by what TLS adds to all that has passed, about 1 in 700.
   */
  readonly bytes: number;
  /** Resident memory beyond that before the stop. */
  readonly memoryMiB: number;
}

export interface StopResult {
  readonly worker: Held;
  readonly guest: Held;
  /** Bytes in the kernel's buffers between all processes at the end of the stop. */
  readonly kernelBytes: number;
  /** All calls, each answered rightly after the reader went on. */
  readonly measured: Measured;
}

export interface StopOptions {
  readonly hops: AgentHops;
  readonly load: Load;
  /** One that nobody else uses. */
  readonly agent: BenchAgent;
  readonly direction: Direction;
  readonly seconds: number;
}

/** Stops the reader, starts calls, waits, lets the reader go on, and sees every call to its end. */
export async function measureStop({ hops, load, agent, direction, seconds }: StopOptions): Promise<StopResult> {
  const look = () => heldNow({ hops, load, agent, direction });
  const idle = await look();
  const before = { worker: memoryMiB([hops.worker]), guest: memoryMiB([hops.guest]) };
  const reader = direction === "replies" ? load : agent;
  await reader.hold();
  const done = load.run(CALLS[direction], { calls: COUNT });
  // A failure is seen below; until then it must not count as unhandled.
  done.catch(() => {});
  const most = { worker: 0, guest: 0, workerMiB: 0, guestMiB: 0 };
  let last = idle, looks = 0;
  const end = performance.now() + seconds * 1000;
  do {
    await delay(LOOK_MS);
    const now = await look();
    if (now.isAtRest) {
      looks++;
      last = now;
      most.worker = Math.max(most.worker, last.worker - idle.worker);
      most.guest = Math.max(most.guest, last.guest - idle.guest);
    }
    most.workerMiB = Math.max(most.workerMiB, memoryMiB([hops.worker]) - before.worker);
    most.guestMiB = Math.max(most.guestMiB, memoryMiB([hops.guest]) - before.guest);
  } while (performance.now() < (looks === 0 ? end + FILL_MS : end));
  await reader.go();
  if (looks === 0) throw new Error(`Bytes still moved ${seconds + FILL_MS / 1000} s after the reader stopped`);
  return {
    worker: { bytes: most.worker, memoryMiB: most.workerMiB },
    guest: { bytes: most.guest, memoryMiB: most.guestMiB },
    kernelBytes: last.passed - idle.passed - (last.worker - idle.worker) - (last.guest - idle.guest),
    measured: await done,
  };
}

/** What each process has read and not written, in bytes, and what is between writer and reader altogether. */
async function heldNow({ hops, load, agent, direction }: Omit<StopOptions, "seconds">) {
  const count = async () => [await load.count(), await agent.count()] as const;
  const before = await count();
  const pids = [load.pid, hops.worker, hops.guest, agent.pid];
  const [client, worker, guest, server] = await Promise.all(pids.map(socketQueues));
  const [atClient, atServer] = await count();
  // Not all can be looked at in the same moment: what moved meanwhile would look as if a hop held it.
  const isAtRest = isDeepStrictEqual(before, [atClient, atServer]);
  if (direction === "replies") {
    return {
      isAtRest,
      guest: atServer.written - guest!.unixUnread - guest!.tcpWritten,
      worker: worker!.tcpRead - atClient.read - client!.unixUnread,
      passed: atServer.written - atClient.read,
    };
  }
  return {
    isAtRest,
    worker: atClient.written - worker!.unixUnread - worker!.tcpWritten,
    guest: guest!.tcpRead - atServer.read - server!.unixUnread,
    passed: atClient.written - atServer.read,
  };
}
