// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { daysLeft, EXPIRES_SOON_DAYS, expiryWarning } from "./expiry.ts";

const NOW = new Date("2026-06-01T12:00:00Z");
const inDays = (days: number) => new Date(NOW.getTime() + days * 24 * 3_600_000);
const validity = (from: number, to: number) => ({ notBefore: inDays(from), notAfter: inDays(to) });

Deno.test("expiryWarning() warns 30 days before the end, or in the last third of a shorter life", () => {
  const cases: Array<[from: number, to: number, warning: RegExp | undefined]> = [
    [-300, EXPIRES_SOON_DAYS, undefined],
    [-300, EXPIRES_SOON_DAYS - 0.5, /^it expires in 29 days, on 2026-07-01T00:00:00/],
    [0, 29, undefined],
    [-20, 10, undefined],
    [-21, 9, /^it expires in 9 days/],
    [-29, 1.5, /^it expires in 1 day,/],
    [-29, 0.5, /^it expires in less than a day/],
    [-300, 0, /^it expired on 2026-06-01T12:00:00/],
    [-300, -1, /^it expired on/],
    [1, 300, /^it is not valid before 2026-06-02/],
  ];
  for (const [from, to, warning] of cases) {
    const found = expiryWarning(validity(from, to), NOW);
    if (warning === undefined) assert.equal(found, undefined, `${from} to ${to}`);
    else assert.match(found ?? "", warning, `${from} to ${to}`);
  }
});

Deno.test("expiryWarning() takes other days than these", () => {
  assert.equal(expiryWarning(validity(-300, 20), NOW, 14), undefined);
  assert.match(expiryWarning(validity(0, 13), NOW, 14) ?? "", /13 days/);
  assert.match(expiryWarning(validity(-300, 60), NOW, 90) ?? "", /60 days/);
});

Deno.test("daysLeft() counts whole days and goes below zero", () => {
  assert.deepEqual([30, 0.9, 0, -0.1].map((to) => daysLeft(validity(-100, to), NOW)), [30, 0, 0, -1]);
});
