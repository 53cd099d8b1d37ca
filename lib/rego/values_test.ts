// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { formatJson, fromJson, parseJson, toJson } from "./json.ts";
import { parseNumber } from "./numbers.ts";
import { compareValues, equalValues, objectOf, RegoObject, setOf, sortValues, type Value } from "./values.ts";

const one = parseNumber("1.0") as Value;

Deno.test("compareValues() orders all types as OPA", () => {
  const ordered: Value[] = [
    null,
    false,
    true,
    -1,
    0.5,
    1,
    "",
    "a",
    [],
    [1],
    objectOf([]),
    objectOf([["a", 1]]),
    setOf([]),
  ];
  assert.deepEqual(sortValues([...ordered].reverse()), ordered);
});

Deno.test("compareValues() orders strings by code points, not by UTF-16", () => {
  assert.ok(compareValues("\uFFFD", "\u{1F600}") < 0);
  assert.ok(compareValues("a", "ab") < 0);
});

Deno.test("RegoObject finds equal keys of every type", () => {
  const object = objectOf([[1, "one"], ["1", "text"], [[1, "a"], "list"], [setOf([1, 2]), "set"]]);
  assert.equal(object.get(one), "one");
  assert.equal(object.get("1"), "text");
  assert.equal(object.get([one, "a"]), "list");
  assert.equal(object.get(setOf([2, 1])), "set");
  assert.equal(object.get(objectOf([])), undefined);
});

Deno.test("keys that look like the marks of others stay apart", () => {
  const object = objectOf([["\uD800[1]", "text"], [[1], "list"]]);
  assert.equal(object.size, 2);
  assert.equal(object.get([1]), "list");
});

Deno.test("equalValues() compares collections by what they hold", () => {
  assert.ok(equalValues(setOf([1, "a"]), setOf(["a", one])));
  assert.ok(equalValues(objectOf([["a", [one]], ["b", 2]]), objectOf([["b", 2], ["a", [1]]])));
  assert.ok(!equalValues([1, 2], [2, 1]));
  assert.ok(!equalValues(0, false));
  assert.ok(!equalValues(setOf([]), objectOf([])));
});

Deno.test("parseJson() and formatJson() keep every digit", () => {
  const text = '{"a":9007199254740993,"b":[1.0,1e400,-0],"c":"\\u00e9"}';
  assert.equal(formatJson(parseJson(text)), '{"a":9007199254740993,"b":[1.0,1e400,-0],"c":"é"}');
});

Deno.test("fromJson() makes no prototype of a __proto__ member, nor does toJson()", () => {
  const value = fromJson(JSON.parse('{"__proto__": {"x": 1}}'));
  assert.ok(value instanceof RegoObject && value.get("__proto__") !== undefined);
  assert.equal(Object.getPrototypeOf(toJson(value)), Object.prototype);
});

Deno.test("fromJson() does not see later changes", () => {
  const plain = { list: [1] };
  const value = fromJson(plain);
  plain.list.push(2);
  assert.equal(formatJson(value), '{"list":[1]}');
});

Deno.test("parseJson() stops at its nesting limit, with and without delicate numbers", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  assert.throws(() => parseJson(deep), { limit: "maxNesting" });
  assert.throws(() => parseJson(`[1.5,${deep}]`), { limit: "maxNesting" });
});

Deno.test("formatJson() writes sets as sorted arrays and other keys as their text", () => {
  assert.equal(formatJson(objectOf([[1, setOf([3, 1, 2])], [[true], null]])), '{"1":[1,2,3],"[true]":null}');
});
