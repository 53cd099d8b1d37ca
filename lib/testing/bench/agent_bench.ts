// SPDX-License-Identifier: Apache-2.0
/** Calls through relay and apf, and through the Go proxy and forwarder: rate, latency, processor time, memory. */

import { APF_LIMIT_MIB, type Subject, withSubjects } from "./agent_subjects.ts";
import type { Bench, BenchRun, RowKind } from "./bench.ts";
import type { CallKind, Load, Measured } from "./load.ts";
import { cpuSeconds, memoryMiB } from "./process_cost.ts";

/** How long each kind of call is made, and how long before that for nothing, in seconds. */
const SECONDS = 3;
const QUICK_SECONDS = 0.3;
const WARM_UP_SECONDS = 0.5;

/** The same once at the beginning, in seconds: hops live for weeks, and compile their code in their first moments. */
const FIRST_WARM_UP_SECONDS = 2;

/** The largest file part that a request holds, with room for its other fields, in bytes. */
const LARGEST_COPY_BYTES = (4 << 20) - 1024;

/** Calls of WaitProcess that wait beside others. */
const PARKED = 200;

/** A mount that is there and one that never will be: containers that wait for them are held in the pod VM. */
const MOUNTED_PATH = "/proc";
const NEVER_MOUNTED_PATH = "/nonexistent/volume";

interface Line extends CallKind {
  readonly title: string;
  /** Beside parked calls and a container that is held. */
  readonly isCrowded?: boolean;
  /** In times of Go's. */
  readonly goals?: { readonly rate?: number; readonly p99?: number; readonly cpu?: number };
}

const LINES: readonly Line[] = [
  { title: "64 B, 1 in flight", call: "unary", bytes: 64, inFlight: 1, goals: { rate: 1.05 } },
  { title: "64 B, 16 in flight", call: "unary", bytes: 64, inFlight: 16, goals: { rate: 3.5, p99: 1, cpu: 0.2 } },
  { title: "64 B, 256 in flight", call: "unary", bytes: 64, inFlight: 256, goals: { rate: 9 } },
  { title: "replies of 32 KiB, 1 in flight", call: "read", bytes: 32 << 10, inFlight: 1 },
  { title: "replies of 32 KiB, 16 in flight", call: "read", bytes: 32 << 10, inFlight: 16, goals: { rate: 2.2 } },
  { title: "requests of 1 MiB, 4 in flight", call: "copy", bytes: 1 << 20, inFlight: 4, goals: { rate: 1.7 } },
  {
    title: "requests of 4 MiB, 4 in flight",
    call: "copy",
    bytes: LARGEST_COPY_BYTES,
    inFlight: 4,
    goals: { rate: 1.2 },
  },
  {
    title: `64 B, 16 in flight, ${PARKED} parked, 1 held`,
    call: "unary",
    bytes: 64,
    inFlight: 16,
    isCrowded: true,
  },
];

export default {
  summary: "agent calls over relay and apf, beside the Go proxy and forwarder",
  needs: ["go"],
  run: (o) => withSubjects(o, (subjects) => measure(o, subjects)),
} satisfies Bench;

async function measure(o: BenchRun, subjects: readonly Subject[]): Promise<void> {
  const seconds = o.seconds ?? (o.quick ? QUICK_SECONDS : SECONDS);
  for (const { hops, load } of subjects) {
    o.note(`warming up ${hops.name}`);
    for (const line of LINES) await load.run(line, { seconds: Math.min(seconds, FIRST_WARM_UP_SECONDS) });
  }
  for (let round = 0; round < o.rounds; round++) {
    for (const line of LINES) {
      // Who is second has a warmer machine: they take turns in that, too.
      for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
        o.note(`round ${round + 1} of ${o.rounds}: ${line.title}, ${subject.hops.name}`);
        await measureLine(o, subject, line, seconds);
      }
    }
    for (const { hops } of subjects) {
      const kind: RowKind = { line: "in the pod VM, after all these", unit: "memory, MiB", better: "less" };
      o.add({ ...kind, limit: APF_LIMIT_MIB }, hops.name, memoryMiB([hops.guest]));
    }
  }
  o.remark("Every byte of every request and reply was compared with what was sent.");
}

async function measureLine(o: BenchRun, { hops, load }: Subject, line: Line, seconds: number): Promise<void> {
  const pids = [hops.worker, hops.guest];
  await load.run(line, { seconds: Math.min(seconds, WARM_UP_SECONDS) });
  const crowd = line.isCrowded ? await startCrowd(load, seconds) : undefined;
  const before = cpuSeconds(pids);
  const measured = await load.run(line, { seconds });
  const cpu = cpuSeconds(pids) - before;
  await crowd?.end();
  addRows(o, line, hops.name, { measured, cpu, memory: memoryMiB(pids) });
}

/** Parks calls and has one container held for as long as the measurement lasts, after one that was held a moment. */
async function startCrowd(load: Load, seconds: number): Promise<{ end(): Promise<void> }> {
  await load.park(PARKED);
  const made = await load.createContainer({ path: MOUNTED_PATH, seconds });
  if (made !== "created") throw new Error(`A container that waits for nothing was not created: ${made}`);
  const held = load.createContainer({ path: NEVER_MOUNTED_PATH, seconds: seconds + 1 });
  return {
    async end() {
      const parked = await load.release();
      if (parked !== PARKED) throw new Error(`${PARKED - parked} parked calls were answered too early`);
      const outcome = await held;
      // The client's clock may be first, or the forwarder's, which answers with status 4 (DEADLINE_EXCEEDED).
      if (!/deadline exceeded|code 4:/i.test(outcome)) {
        throw new Error(`A container that has to wait for its volume: ${outcome}`);
      }
    },
  };
}

function addRows(
  o: BenchRun,
  { title, call, goals = {} }: Line,
  subject: string,
  { measured, cpu, memory }: { measured: Measured; cpu: number; memory: number },
): void {
  const { calls, bytes, seconds, p50Us, p99Us } = measured;
  const add = (unit: string, better: "more" | "less", value: number, goal?: number) => {
    const kind: RowKind = { line: title, unit, better, ...(goal !== undefined && { goal }) };
    o.add(kind, subject, value);
  };
  if (call === "unary") add("calls/s", "more", calls / seconds, goals.rate);
  else add("MB/s", "more", bytes / seconds / 1e6, goals.rate);
  add("p50 ms", "less", p50Us / 1e3);
  add("p99 ms", "less", p99Us / 1e3, goals.p99);
  add("CPU s per 100,000", "less", cpu / calls * 1e5, goals.cpu);
  if (call !== "unary") add("CPU s per GB", "less", cpu / bytes * 1e9);
  add("memory after, MiB", "less", memory);
}
