// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { formatAge, parseDuration } from "./duration.ts";

Deno.test("parseDuration() reads Go's durations as milliseconds", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    [".5s", 500],
    ["1.s", 1000],
    ["100ms", 100],
    ["2us", 0.002],
    ["2µs", 0.002],
    ["1ns", 0.000001],
    ["-3s", -3000],
    ["+3s", 3000],
    ["2562047h", 9_223_369_200_000],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});

Deno.test("parseDuration() refuses what Go refuses", () => {
  for (const text of ["", "5", "s", ".s", "5 m", "5M", "1h30", "1d", "--5m", "5m ", "1e3s", "2562048h"]) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  }
});

Deno.test("formatAge() writes the two largest units, and nothing smaller than a second", () => {
  const cases: [number, string][] = [
    [-5, "0s"],
    [999, "0s"],
    [59_999, "59s"],
    [90_000, "1m30s"],
    [300_000, "5m"],
    [3_601_000, "1h"],
    [2 * 86_400_000 + 3 * 3_600_000 + 59_000, "2d3h"],
  ];
  for (const [ms, text] of cases) assert.equal(formatAge(ms), text, `${ms}`);
});
