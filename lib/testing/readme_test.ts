// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { withFlagTables } from "./readme.ts";

const README = new URL("../../README.md", import.meta.url);

Deno.test("README.md has the flags that the commands have", async () => {
  const text = await Deno.readTextFile(README);
  assert.ok(text === await withFlagTables(text), 'README.md differs from the commands: run "deno task docs"');
});

Deno.test("withFlagTables() changes a table that has drifted", async () => {
  const text = await Deno.readTextFile(README);
  const drifted = text.replace(/\| `-socket`[^\n]*\n/, "");
  assert.notEqual(drifted, text);
  assert.equal(await withFlagTables(drifted), text);
});

Deno.test("withFlagTables() refuses a README without a place for a command's flags", async () => {
  await assert.rejects(withFlagTables("# peerctl\n"), /no place for the flags of: .*caa/);
});

Deno.test("withFlagTables() refuses a place for a command that does not exist", async () => {
  const place = "<!-- flags of nobody -->\n<!-- end of flags -->\n";
  await assert.rejects(withFlagTables(place), /"nobody", which does not exist/);
});

Deno.test("README.md names the two commands that do all set-up", async () => {
  const text = await Deno.readTextFile(README);
  for (const task of ["demo", "test"]) assert.ok(text.includes(`npx --yes deno@2.9.6 task ${task}\n`), task);
});
