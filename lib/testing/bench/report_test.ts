// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { collectRows, isMet, jsonReport, ratioTo, spreadOf, textReport } from "./report.ts";

const RATE = { line: "calls", unit: "calls/s", better: "more", goal: 2 } as const;
const CPU = { line: "calls", unit: "CPU s", better: "less", goal: 0.5 } as const;
const MEMORY = { line: "memory", unit: "MiB", better: "less", limit: 60 } as const;

function sample() {
  const { rows, add } = collectRows();
  for (const [ours, theirs] of [[30, 10], [5, 4], [22, 10]] as const) {
    add(RATE, "peerctl", ours);
    add(RATE, "Go", theirs);
    add(CPU, "peerctl", theirs);
    add(CPU, "Go", ours);
  }
  add(MEMORY, "peerctl", 61);
  return rows;
}

Deno.test("spreadOf() gives the middle value, or the mean of the middle two", () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3, values: [3, 1, 2] });
  assert.equal(spreadOf([4, 1, 2, 3]).median, 2.5);
  assert.equal(spreadOf([7]).median, 7);
});

Deno.test("ratioTo() compares within each round, so that a slow round does not count", () => {
  const [rate, cpu, memory] = sample();
  assert.equal(ratioTo(rate!, "Go"), 2.2);
  assert.equal(ratioTo(cpu!, "Go"), 10 / 22);
  assert.equal(ratioTo(memory!, "Go"), undefined);
  assert.equal(ratioTo(rate!, "other"), undefined);
});

Deno.test("isMet() reads a goal as at least for more, at most for less, and a limit by itself", () => {
  const [rate, cpu, memory] = sample();
  assert.equal(isMet(rate!, "Go"), true);
  assert.equal(isMet({ ...rate!, goal: 2.3 }, "Go"), false);
  assert.equal(isMet(cpu!, "Go"), true);
  assert.equal(isMet({ ...cpu!, goal: 0.4 }, "Go"), false);
  assert.equal(isMet(memory!, undefined), false);
  assert.equal(isMet({ ...memory!, limit: 61 }, undefined), true);
  assert.equal(isMet({ ...rate!, goal: 0 }, undefined), undefined);
});

Deno.test("textReport() and jsonReport() show medians, ranges, ratios and goals", () => {
  const report = { name: "sample", rows: sample(), remarks: ["A remark."] };
  const lines = textReport(report).split("\n").map((line) => line.replace(/ {2,}/g, "|"));
  assert.deepEqual(lines, [
    "sample|unit|peerctl|range|beside|range|ratio|goal",
    "calls|calls/s|22.0|5.00 to 30.0|Go|10.0|4.00 to 10.0|2.20|>= 2|met",
    "calls|CPU s|10.0|4.00 to 10.0|Go|22.0|5.00 to 30.0|0.45|<= 0.5|met",
    "memory|MiB|61.0|<= 60|not met",
    "A remark.",
    "",
  ]);
  const [rate] = jsonReport(report).rows;
  assert.deepEqual(rate?.ratios, { Go: 2.2 });
  assert.equal(rate?.met, true);
  assert.deepEqual(rate?.subjects.peerctl, { median: 22, min: 5, max: 30, values: [30, 5, 22] });
});
