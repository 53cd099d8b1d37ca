// SPDX-License-Identifier: Apache-2.0
/** Mixed calls for a long time: whether the memory of relay and apf stays what it was. */

import { setTimeout as delay } from "node:timers/promises";
import { APF_LIMIT_MIB, withSubjects } from "./agent_subjects.ts";
import { type Bench, OURS } from "./bench.ts";
import type { CallKind } from "./load.ts";
import { memoryMiB, peakMemoryMiB } from "./process_cost.ts";
import { spreadOf } from "./report.ts";

/** How long in all, in seconds. */
const SECONDS = 600;
const QUICK_SECONDS = 5;

/** How long each kind of call is made at a time, and the rest after it, in seconds: others use the machine, too. */
const BURST_SECONDS = 1;
const REST_SECONDS = 3;

/** How often is looked at memory. */
const LOOKS = 20;

/** The looks at the beginning and at the end whose medians are compared. */
const ENDS = 5;

/** How much larger the end may be than the beginning: what one look differs from the next. */
const GROWTH_LIMIT = 1.1;

const MIX: readonly CallKind[] = [
  { call: "unary", bytes: 64, inFlight: 16 },
  { call: "read", bytes: 32 << 10, inFlight: 4 },
  { call: "copy", bytes: 1 << 20, inFlight: 2 },
  { call: "unary", bytes: 64, inFlight: 1 },
];

export default {
  summary: "memory of relay and apf over a long mixed load; --seconds 3600 for an hour",
  needs: ["go"],
  onlyByName: true,
  run: (o) =>
    withSubjects(o, async ([subject]) => {
      const { hops, load } = subject!;
      const seconds = o.seconds ?? (o.quick ? QUICK_SECONDS : SECONDS);
      const processes = [["relay", hops.worker], ["apf", hops.guest]] as const;
      const idle = processes.map(([, pid]) => memoryMiB([pid]));
      const looks: number[][] = [[], []];
      const burst = Math.min(BURST_SECONDS, seconds / LOOKS / MIX.length);
      let calls = 0;
      const began = performance.now();
      for (let look = 0; look < LOOKS; look++) {
        const end = began + (look + 1) * seconds / LOOKS * 1000;
        do {
          for (const kind of MIX) {
            calls += (await load.run(kind, { seconds: burst })).calls;
            await delay(Math.max(0, Math.min(REST_SECONDS * 1000, end - performance.now())));
          }
        } while (performance.now() < end);
        processes.forEach(([, pid], i) => looks[i]!.push(memoryMiB([pid])));
        o.note(
          `${look + 1} of ${LOOKS}: ${processes.map(([name], i) => `${name} ${looks[i]!.at(-1)!.toFixed(0)} MiB`)}`,
        );
      }
      processes.forEach(([name, pid], i) => {
        const add = (unit: string, value: number, limit?: number) =>
          o.add({ line: name, unit, better: "less", ...(limit !== undefined && { limit }) }, OURS, value);
        const [early, late] = [looks[i]!.slice(0, ENDS), looks[i]!.slice(-ENDS)].map((part) => spreadOf(part).median);
        add("memory idle, MiB", idle[i]!);
        add("memory at the beginning, MiB", early!);
        add("memory at the end, MiB", late!, name === "apf" ? APF_LIMIT_MIB : undefined);
        add("end in beginnings", late! / early!, GROWTH_LIMIT);
        add("peak memory, MiB", peakMemoryMiB(pid));
      });
      o.remark(`${calls.toLocaleString("en")} calls in ${seconds} s, each answered rightly.`);
    }),
} satisfies Bench;
