// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { commonNameOf, parseSubject, withCommonName } from "./subject.ts";

Deno.test("parseSubject() reads both ways of writing a name into the same order", () => {
  const expected = [
    { type: "C", value: "DE" },
    { type: "O", value: "Example, Inc." },
    { type: "CN", value: "a/b" },
  ];
  assert.deepEqual(parseSubject("/C=DE/O=Example, Inc./CN=a\\/b"), expected);
  assert.deepEqual(parseSubject("CN=a/b,O=Example\\, Inc.,C=DE"), expected);
  assert.deepEqual(parseSubject("cn = x"), [{ type: "CN", value: "x" }]);
  assert.deepEqual(parseSubject("CN=a=b"), [{ type: "CN", value: "a=b" }]);
});

Deno.test("parseSubject() refuses what no certificate can hold", () => {
  const cases: Array<[string, RegExp]> = [
    ["", /"" is not one of/],
    ["/", /is not one of/],
    ["/CN=", /CN has no value/],
    ["/XY=z", /"XY" is not one of C, ST, L, O, OU, CN/],
    ["prod", /"prod" is not one of/],
    ["/C=Germany", /C has 7 characters, limit 2/],
    ["/C=de", /two capital letters/],
    ["/CN=a/CN=b", /CN stands there twice/],
    [`/CN=${"x".repeat(65)}`, /65 characters, limit 64/],
    ["/CN=a\nb", /control character/],
    [`/O=${"x".repeat(2000)}`, /limit 1024/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseSubject(text), { kind: "usage", message });
});

Deno.test("withCommonName() exchanges the common name and keeps it within the limit", () => {
  const name = withCommonName(parseSubject("/CN=old/O=Example"), "n".repeat(70));
  assert.deepEqual(name.map(({ type }) => type), ["O", "CN"]);
  assert.equal(commonNameOf(name), "n".repeat(64));
  assert.equal(commonNameOf([]), undefined);
});
