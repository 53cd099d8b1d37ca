// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { playSchedule, schedules } from "../testing/sandbox_schedule.ts";

/** A share of what `deno task schedules` plays. */
const SCHEDULES = 60;

Deno.test("instances alive are sandboxes running, whatever cloud, relays and crashes do", async () => {
  await fc.assert(fc.asyncProperty(schedules, playSchedule), { numRuns: SCHEDULES });
});
