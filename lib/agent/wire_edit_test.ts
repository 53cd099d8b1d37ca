// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import fc from "fast-check";
import { Code } from "../ttrpc/status.ts";
import { bodiesOf, delimitedField, indexOfSingle, joinFields, splitMessage, textOf } from "./wire_edit.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const invalid = { name: "RpcError", code: Code.invalidArgument };

Deno.test("splitMessage() finds the fields of every wire type, and joinFields() gives the same bytes", () => {
  // A varint, 64 bits, text, a group with a varint and a group inside, 32 bits, field 100, a length of needless bytes.
  const message = hex(
    "08 ac02  11 0102030405060708  1a 02 6869  23 0801 2b 2c 24  35 01020304  a206 01 ff  3a 8200 6162",
  );
  const fields = splitMessage(message);
  assert.deepEqual(fields.map((f) => f.number), [1, 2, 3, 4, 6, 100, 7]);
  assert.deepEqual(fields.map((f) => f.body), [
    undefined,
    undefined,
    hex("6869"),
    undefined,
    undefined,
    hex("ff"),
    hex("6162"),
  ]);
  assert.deepEqual(joinFields(fields), message);
});

Deno.test("splitMessage() refuses what is not protobuf", () => {
  const cases: [string, RegExp][] = [
    ["0a 05 6162", /ends in the middle/],
    ["0a", /ends in the middle/],
    ["08", /ends in the middle/],
    ["11 01", /ends in the middle/],
    ["35 010203", /ends in the middle/],
    ["0a ffffffff0f", /ends in the middle/],
    ["0a ffffffffffffffffff01", /ends in the middle/],
    ["08 ffffffffffffffffffff01", /more than 10 bytes/],
    ["00 01", /field number 0/],
    ["80808080 10 01", /field number/],
    ["0e", /wire type 6/],
    ["0f", /wire type 7/],
    ["0c", /did not start/],
    ["0b 14", /did not start/],
    ["0b", /ends in the middle/],
    ["0b".repeat(40), /nested deeper/],
  ];
  for (const [message, text] of cases) {
    assert.throws(() => splitMessage(hex(message)), { ...invalid, message: text }, message);
  }
});

Deno.test("splitMessage() refuses more fields than it will hold", () => {
  const fits = new Uint8Array(2 * 65_536).fill(0x08);
  assert.equal(splitMessage(fits).length, 65_536);
  assert.throws(() => splitMessage(new Uint8Array(2 * 65_537).fill(0x08)), { ...invalid, message: /65536 fields/ });
});

Deno.test("splitMessage() either refuses random bytes or joinFields() gives them back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      let fields;
      try {
        fields = splitMessage(bytes);
      } catch (error) {
        assert.equal((error as { code?: number }).code, Code.invalidArgument);
        return;
      }
      assert.deepEqual(joinFields(fields), bytes);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("delimitedField() writes what splitMessage() reads, at every length and number", () => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 3_000_000]) {
    for (const number of [1, 15, 16, 2047, 2048]) {
      const field = delimitedField(number, new Uint8Array(length).fill(7));
      assert.deepEqual(splitMessage(field.raw), [field]);
    }
  }
});

Deno.test("textOf() takes the last occurrence, and refuses what is not text", () => {
  assert.equal(textOf(splitMessage(hex("0a0161 0a0162")), 1), "b");
  assert.equal(textOf([], 1), "");
  assert.throws(() => textOf(splitMessage(hex("0a01ff")), 1), { ...invalid, message: /not UTF-8/ });
  assert.throws(() => textOf(splitMessage(hex("0801")), 1), { ...invalid, message: /another wire type/ });
});

Deno.test("indexOfSingle() refuses a message that occurs twice or has another wire type", () => {
  assert.equal(indexOfSingle(splitMessage(hex("0801 1200")), 2), 1);
  assert.equal(indexOfSingle(splitMessage(hex("0801")), 2), undefined);
  assert.throws(() => indexOfSingle(splitMessage(hex("1200 1200")), 2), { ...invalid, message: /occurs 2 times/ });
  assert.throws(() => indexOfSingle(splitMessage(hex("1001")), 2), { ...invalid, message: /another wire type/ });
});

Deno.test("bodiesOf() keeps the order of a repeated field among others", () => {
  assert.deepEqual(bodiesOf(splitMessage(hex("1201aa 0801 1201bb")), 2), [hex("aa"), hex("bb")]);
});
