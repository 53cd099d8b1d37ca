// SPDX-License-Identifier: Apache-2.0
/** A client that stops reading replies, an agent that stops reading requests: what each hop keeps meanwhile. */

import { withSubjects } from "./agent_subjects.ts";
import type { Bench, RowKind } from "./bench.ts";
import { type Direction, measureStop } from "./slow_reader.ts";

/** How long the reader stops, in seconds. */
const SECONDS = 5;
const QUICK_SECONDS = 1;

/** What one hop may keep, in MiB. */
const LIMIT_MIB = 1;

const DIRECTIONS: readonly Direction[] = ["replies", "requests"];

export default {
  summary: "what each hop keeps while a reader stops; --seconds 60 for a whole minute",
  needs: ["go", "ss"],
  run: (o) =>
    withSubjects(o, async (subjects) => {
      const seconds = o.seconds ?? (o.quick ? QUICK_SECONDS : SECONDS);
      for (let round = 0; round < o.rounds; round++) {
        for (const direction of DIRECTIONS) {
          for (const { hops, load, agent } of subjects) {
            o.note(`round ${round + 1} of ${o.rounds}: ${direction} are not read for ${seconds} s, ${hops.name}`);
            const { worker, guest, kernelBytes } = await measureStop({ hops, load, agent, direction, seconds });
            const add = (what: string, value: number, limit?: number) => {
              const kind: RowKind = { line: `${direction} are not read: ${what}`, unit: "MiB", better: "less" };
              o.add({ ...kind, ...(limit !== undefined && { limit }) }, hops.name, value);
            };
            add("kept on the worker node", worker.bytes / (1 << 20), LIMIT_MIB);
            add("kept in the pod VM", guest.bytes / (1 << 20), LIMIT_MIB);
            add("more memory on the worker node", worker.memoryMiB);
            add("more memory in the pod VM", guest.memoryMiB);
            add("in the kernel's buffers", kernelBytes / (1 << 20));
          }
        }
      }
      o.remark(`The reader stopped for ${seconds} s; then every call was answered, and every byte was the right one.`);
    }),
} satisfies Bench;
