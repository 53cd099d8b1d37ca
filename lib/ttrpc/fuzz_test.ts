// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { FUZZ_TARGETS, fuzzTtrpc } from "../testing/fuzz_ttrpc.ts";

/** Frames for each target here; `deno task fuzz` feeds two million. */
const FRAMES = 40_000;

for (const target of FUZZ_TARGETS) {
  Deno.test(`the ${target} survives random and mutated frames`, async () => {
    const { frames, seen } = await fuzzTtrpc(target, { seed: 20_260, count: FRAMES });
    assert.ok(frames >= FRAMES);
    assert.ok(seen > FRAMES / 10, `only ${seen} frames came out: the input is too wrong to test anything`);
  });
}
