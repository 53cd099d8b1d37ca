// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mergeDocuments, parseDocument } from "./documents.ts";
import { formatJson, parseJson } from "./json.ts";
import type { RegoObject } from "./values.ts";

function read(path: string, text: string): string {
  return formatJson(parseDocument(path, text));
}

Deno.test("parseDocument() keeps the digits of numbers, in JSON and in YAML", () => {
  const digits = ["12345678901234567890123", "0.1000000000000000055511151231257827", "1.0", "-0.5", "1e3"];
  assert.equal(read("a.json", `[${digits}]`), `[${digits}]`);
  assert.equal(read("a.yaml", digits.map((each) => `- ${each}\n`).join("")), `[${digits}]`);
  assert.equal(read("a.yml", "{a: 0x1F, b: .5, c: 0o17}"), '{"a":31,"b":0.5,"c":15}');
});

Deno.test("parseDocument() reads YAML's keys, anchors and merge keys", () => {
  assert.equal(read("a.yaml", "1: x\ntrue: y\n__proto__: z"), '{"1":"x","__proto__":"z","true":"y"}');
  assert.equal(read("a.yaml", "a: &a {b: 1}\nc: {<<: *a, d: 2}"), '{"a":{"b":1},"c":{"b":1,"d":2}}');
  assert.equal(read("a.yaml", ""), "null");
  assert.equal(read("a.yaml", "a: yes\nb: 2001-01-01"), '{"a":"yes","b":"2001-01-01"}');
});

Deno.test("parseDocument() refuses what is no document, with the file's name", () => {
  const bombs = [
    "a: &a [x,x]",
    ..."bcdefghi".split("").map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`)}]`),
  ].join("\n");
  const cases: [string, string, RegExp][] = [
    ["a.json", '{"a": }', /Cannot read "a.json": .*JSON/],
    ["a.json", "", /Cannot read "a.json"/],
    ["a.yaml", "a: [1", /Cannot read "a.yaml": /],
    ["a.yaml", "a: 1\na: 2", /Cannot read "a.yaml": Map keys must be unique at line 2/],
    ["a.yaml", "a: .nan", /Cannot read "a.yaml": .*NaN/],
    ["a.yaml", "a: !!binary aGk=", /Cannot read "a.yaml": /],
    ["a.yaml", "a: 1\n---\nb: 2", /Cannot read "a.yaml": .*multiple documents/],
    ["a.yaml", bombs, /Cannot read "a.yaml": Excessive alias count/],
  ];
  for (const [path, text, message] of cases) {
    assert.throws(() => parseDocument(path, text), { name: "PeerctlError", kind: "config", message }, text);
  }
});

Deno.test("mergeDocuments() joins objects and refuses two values for one place", () => {
  const object = (text: string) => parseJson(text) as RegoObject;
  const merged = mergeDocuments(object('{"a":{"b":1},"c":2}'), object('{"a":{"d":3},"e":4}'), "x.json");
  assert.equal(formatJson(merged), '{"a":{"b":1,"d":3},"c":2,"e":4}');
  assert.throws(() => mergeDocuments(merged, object('{"a":{"b":1}}'), "y.json"), {
    kind: "config",
    message: 'Cannot load "y.json": another document gives data["a"]["b"], too',
  });
});
