// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { add, ceil, divide, multiply, remainder, subtract } from "./arithmetic.ts";
import { BigNumber, compareNumbers, formatNumber, int64Of, parseNumber, type RegoNumber } from "./numbers.ts";

const n = (text: string): RegoNumber => parseNumber(text) as RegoNumber;

Deno.test("parseNumber() keeps the text of what a double would round or spell otherwise", () => {
  for (const text of ["9007199254740993", "1.0", "-0", "1e400", "0.1234567890123456789", "1E5"]) {
    assert.ok(parseNumber(text) instanceof BigNumber, text);
    assert.equal(formatNumber(n(text)), text);
  }
  assert.equal(parseNumber("0.1"), 0.1);
  assert.equal(parseNumber("-12"), -12);
});

Deno.test("parseNumber() refuses what is no JSON number and exponents out of OPA's range", () => {
  for (const text of ["01", "+1", ".5", "1.", "NaN", "0x10", "", "1e999999"]) {
    assert.equal(parseNumber(text), undefined, text);
  }
});

Deno.test("compareNumbers() compares exactly", () => {
  assert.equal(compareNumbers(n("9007199254740993"), n("9007199254740992")), 1);
  assert.equal(compareNumbers(n("1.0"), n("1")), 0);
  assert.equal(compareNumbers(n("1e400"), n("1e399")), 1);
  assert.equal(compareNumbers(n("-1e400"), n("1e-400")), -1);
  assert.equal(compareNumbers(n("0.1234567890123456788"), n("0.1234567890123456789")), -1);
});

Deno.test("add() and multiply() are exact on integers of any size", () => {
  assert.equal(formatNumber(add(n("9007199254740993"), n("1"))), "9007199254740994");
  assert.equal(formatNumber(multiply(n("12345678901234567890"), n("10"))), "123456789012345678900");
  assert.equal(formatNumber(subtract(n("1"), n("9007199254740993"))), "-9007199254740992");
});

Deno.test("divide() and add() of fractions give the digits of a 64-bit mantissa", () => {
  // OPA v1.22.0 answers these.
  assert.equal(formatNumber(divide(n("1"), n("3"))), "0.33333333333333333334");
  assert.equal(formatNumber(add(n("0.1"), n("0.2"))), "0.3");
});

Deno.test("divide() and remainder() refuse zero, remainder() fractions", () => {
  assert.throws(() => divide(1, n("0.0")), { code: "eval_builtin_error", message: /divide by zero/ });
  assert.throws(() => remainder(1, 0), { message: /modulo by zero/ });
  assert.throws(() => remainder(1.5, 1), { message: /modulo on floating-point/ });
  assert.equal(remainder(-7, 3), -1);
});

Deno.test("multiply() stops before a product of more digits than allowed", () => {
  assert.throws(() => multiply(n("1e30000"), n("1e30000"), 40_000), { kind: "limit" });
});

Deno.test("int64Of() takes what OPA counts with: integers written without an exponent", () => {
  assert.equal(int64Of(n("2.0")), 2n);
  assert.equal(int64Of(n("-0")), 0n);
  assert.equal(int64Of(n("9223372036854775807")), 9223372036854775807n);
  for (const text of ["1e3", "2.5", "9223372036854775808"]) assert.equal(int64Of(n(text)), undefined, text);
});

Deno.test("ceil() gives the integer above a fraction", () => {
  assert.equal(ceil(n("1.2")), 2);
});
