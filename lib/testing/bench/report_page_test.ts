// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { collectRows } from "./report.ts";
import { withReports } from "./report_page.ts";

const PAGE = `# Page

<!-- bench one -->

old

<!-- end of bench -->

Between.

<!-- bench other -->

stays

<!-- end of bench -->
`;

function report(name: string) {
  const { rows, add } = collectRows();
  add({ line: "calls", unit: "p50 ms", better: "less" }, "peerctl", 3);
  add({ line: "calls", unit: "calls/s", better: "more", goal: 2 }, "peerctl", 30);
  add({ line: "calls", unit: "calls/s", better: "more", goal: 2 }, "Go", 10);
  return { name, rows, remarks: ["A remark."] };
}

Deno.test("withReports() writes the tables of one bench, what has a goal first, and leaves the rest of the page", async () => {
  const page = await withReports(PAGE, [report("one")], "Somewhere.");
  assert.match(page, /^# Page\n\n<!-- bench one -->\n\nSomewhere\.\n\n\|/);
  const cells = page.split("\n").filter((line) => line.startsWith("|")).map((line) => line.replace(/ *\| */g, "|"));
  assert.deepEqual(cells.filter((line) => !line.startsWith("|-")), [
    "||unit|peerctl|beside|ratio|goal||",
    "|calls|calls/s|30.0|Go 10.0|3.00|>= 2|met|",
    "||unit|peerctl|",
    "|calls|p50 ms|3.00|",
  ]);
  assert.match(page, /A remark\.\n\n<!-- end of bench -->\n\nBetween\.\n\n<!-- bench other -->\n\nstays\n/);
  assert.equal(await withReports(page, [report("one")], "Somewhere."), page);
});

Deno.test("withReports() refuses a bench that the page has no place for", async () => {
  await assert.rejects(withReports(PAGE, [report("third")], ""), /The page has no place for: third/);
});
