// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { runKillLoop } from "../lib/testing/kill_loop.ts";

/** Rounds of the kill loop that always run; `deno task kill-loop` runs 300. */
const ROUNDS = 12;

/** Other kills each day, the same all day long: what fails can be repeated, and in time everything is tried. */
const SEED = Math.floor(Date.now() / (24 * 3_600_000));

Deno.test(`nothing is left of pods when caa, relay, apf or agent are killed: ${ROUNDS} rounds, seed ${SEED}`, async () => {
  const { kills, failures } = await runKillLoop({ seed: SEED, count: ROUNDS });
  assert.deepEqual(failures, []);
  assert.ok(kills >= ROUNDS, `${kills} kills`);
});
