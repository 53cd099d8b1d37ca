// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { placeText, sourceFrame } from "./source_frame.ts";

Deno.test("sourceFrame() puts a caret below the column, also behind tabs and at the end of a line", () => {
  const source = "package a\n\tx := y\r\nz";
  const at = (line: number, column: number) => sourceFrame(source, { file: "a.rego", line, column });
  assert.equal(at(1, 9), "    1 | package a\n      |         ^");
  assert.equal(at(2, 7), "    2 | \tx := y\n      | \t     ^");
  assert.equal(at(3, 9), "    3 | z\n      |  ^");
  assert.equal(at(4, 1), "");
  assert.equal(placeText({ file: "a.rego", line: 2, column: 7 }), "a.rego:2:7");
});

Deno.test("sourceFrame() cuts a long line around the place and shows no control characters", () => {
  const source = `${"a".repeat(5000)}X\u001b[2J${"b".repeat(5000)}`;
  const [line, caret] = sourceFrame(source, { file: "a.rego", line: 1, column: 5001 }).split("\n");
  assert.equal(line!.length, "    1 | ".length + 120);
  assert.equal(line![caret!.indexOf("^")], "X");
  assert.match(line!, /aaaX\?\[2Jbbb/);
});
