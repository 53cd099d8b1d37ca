// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readSelection, readTotals, selectBuiltFiles, selectFiles } from "./run_tests.ts";
import { withTempDir } from "./temp_dir.ts";

Deno.test("readTotals() reads what deno test says at its end, steps not counted", async () => {
  await withTempDir(async (dir) => {
    const source = `
      Deno.test("a", async (t) => { await t.step("1", () => {}); await t.step("2", () => {}); });
      Deno.test("b", async (t) => { await t.step("1", () => { throw new Error(); }); await t.step("2", () => {}); });
      Deno.test({ name: "c", ignore: true, fn() {} });`;
    await Deno.writeTextFile(`${dir}/some_test.ts`, source);
    for (const [filter, totals] of [["/a|c/", "1 0 1"], ["/./", "1 1 1"], ["a", "1 0 0"]] as const) {
      for (const env of [{ NO_COLOR: "1" }, { FORCE_COLOR: "1", NO_COLOR: "" }]) {
        const args = ["test", "--no-config", "--no-check", "--filter", filter, `${dir}/some_test.ts`];
        const { stdout } = await new Deno.Command(Deno.execPath(), { args, env, stderr: "null" }).output();
        const found = new TextDecoder().decode(stdout).split("\n").map(readTotals).filter((each) => each !== undefined);
        assert.deepEqual(found.map(({ passed, failed, skipped }) => `${passed} ${failed} ${skipped}`), [totals]);
      }
    }
  });
});

Deno.test("readSelection() takes words for files and leaves flags and paths to deno test", () => {
  const selection = readSelection(["rego", "--filter", "x", "--fail-fast", "lib/net"], (word) => word === "lib/net");
  const passed = ["--filter", "x", "--fail-fast", "lib/net"];
  assert.deepEqual(selection, { isUnit: false, words: ["rego"], passed, hasPaths: true });
});

Deno.test("selectFiles() chooses by words, and leaves commands and peers out of the unit tests", () => {
  const files = ["cmd/relay_test.ts", "lib/rego/a_test.ts", "lib/rego/b_peer_test.ts", "lib/net/c_test.ts"];
  const select = (...args: string[]) => selectFiles(files, readSelection(args, () => false));
  assert.deepEqual(select(), []);
  assert.deepEqual(select("rego"), files.slice(1, 3));
  assert.deepEqual(select("--unit"), ["lib/rego/a_test.ts", "lib/net/c_test.ts"]);
  assert.deepEqual(select("--unit", "rego"), ["lib/rego/a_test.ts"]);
  assert.deepEqual(select("nothing"), []);
});

Deno.test("selectBuiltFiles() chooses the black-box tests that start peerctl and need no peer, unless a path was named", () => {
  const files = [
    "cmd/relay_test.ts",
    "cmd/relay_peer_test.ts",
    "cmd/demo_test.ts",
    "cmd/loop_test.ts",
    "lib/relay_test.ts",
  ];
  const read = (path: string) => path.includes("loop") ? "" : 'import "../lib/testing/peerctl.ts";';
  const select = (...args: string[]) =>
    selectBuiltFiles(files, readSelection(args, (word) => word === "lib/net"), read);
  assert.deepEqual(select(), ["cmd/relay_test.ts", "cmd/demo_test.ts"]);
  assert.deepEqual(select("relay", "--fail-fast"), ["cmd/relay_test.ts"]);
  assert.deepEqual(select("net"), []);
  assert.deepEqual(select("lib/net"), []);
  assert.deepEqual(select("--unit"), []);
});
