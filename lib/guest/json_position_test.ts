// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import fc from "fast-check";
import { jsonErrorPosition } from "./json_position.ts";

Deno.test("jsonErrorPosition() names line and column of the first token that does not fit", () => {
  const cases: [string, number, number][] = [
    ["", 1, 1],
    ["{", 1, 2],
    ['{"a":}', 1, 6],
    ['{\n  "a": 1,\n  b: 2\n}', 3, 3],
    ['{"a": 1,}', 1, 9],
    ["[1, 2", 1, 6],
    ["[1 2]", 1, 4],
    ['{"a" 1}', 1, 6],
    ['{"a": "unclosed}', 1, 7],
    ["{} {}", 1, 4],
    ["[01]", 1, 2],
    ["[truely]", 1, 2],
    ["[}", 1, 2],
    ["{]", 1, 2],
    ["[1}", 1, 3],
  ];
  for (const [text, line, column] of cases) {
    assert.deepEqual(jsonErrorPosition(text), { line, column }, JSON.stringify(text));
  }
});

Deno.test("jsonErrorPosition() agrees with JSON.parse on what is JSON", () => {
  const soup = fc.array(
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      '"a"',
      '"\\n"',
      '"\\x"',
      "1",
      "-0.5e3",
      "01",
      "true",
      "null",
      "nul",
      " ",
      "\n",
    ),
    { maxLength: 12 },
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(soup, fc.json(), fc.string()), (text) => {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      assert.equal(jsonErrorPosition(text) === undefined, isJson);
    }),
    { numRuns: 3000 },
  );
});
