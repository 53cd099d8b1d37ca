// SPDX-License-Identifier: Apache-2.0
/** Plays many random schedules: `deno task schedules --count 1000 --seed 7`. */

import { parseArgs } from "node:util";
import fc from "fast-check";
import { playSchedule, schedules } from "./sandbox_schedule.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "1000" }, seed: { type: "string", default: String(Date.now() % 1e9) } },
});
const numRuns = Number(values.count);
const seed = Number(values.seed);
console.log(`${numRuns} schedules, seed ${seed}`);
let played = 0;
await fc.assert(
  fc.asyncProperty(schedules, async (schedule) => {
    await playSchedule(schedule);
    if (++played % 100 === 0) console.log(`${played} played`);
  }),
  { numRuns, seed },
);
console.log(`${numRuns} schedules played: instances alive were sandboxes running at the end of each`);
