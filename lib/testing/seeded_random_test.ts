// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createSeededRandom } from "./seeded_random.ts";

Deno.test("createSeededRandom() gives the same numbers for the same seed, spread over its range", () => {
  const draw = (seed: number) => {
    const random = createSeededRandom(seed);
    return Array.from({ length: 1000 }, () => random.below(10));
  };
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  const counts = Array.from({ length: 10 }, (_, digit) => draw(1).filter((drawn) => drawn === digit).length);
  assert.ok(counts.every((count) => count > 60 && count < 140), String(counts));
});

Deno.test("pick() heeds weights and never takes what weighs nothing", () => {
  const random = createSeededRandom(3);
  const picked = Array.from({ length: 1000 }, () => random.pick([["a", 3], ["b", 1], ["c", 0]]));
  const count = (letter: string) => picked.filter((one) => one === letter).length;
  assert.equal(count("c"), 0);
  assert.ok(count("a") > 650 && count("b") > 150, `${count("a")} and ${count("b")}`);
});
