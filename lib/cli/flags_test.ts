// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { defineCommand } from "./command.ts";
import { durationFlag, listFlag, portFlag, stringFlag } from "./flags.ts";

Deno.test("portFlag() lets the system choose only when told so", () => {
  const port = portFlag("port", { default: 8000, help: "" });
  assert.equal(port.convert(["65535"]), 65535);
  assert.throws(() => port.convert(["0"]), { name: "RangeError", message: "must be a whole number from 1 to 65535" });
  assert.throws(() => port.convert(["65536"]), RangeError);
  assert.equal(portFlag("port", { default: 0, min: 0, help: "" }).convert(["0"]), 0);
});

Deno.test("durationFlag() refuses what is below its minimum", () => {
  const wait = durationFlag("wait", { default: "5m", min: "1s", help: "" });
  assert.equal(wait.defaultValue, 300_000);
  assert.equal(wait.convert(["1s"]), 1000);
  assert.throws(() => wait.convert(["999ms"]), { message: "must be a duration of at least 1s" });
  assert.throws(() => durationFlag("wait", { default: "0", help: "" }).convert(["-1s"]), { message: /at least 0/ });
});

Deno.test("durationFlag() refuses a default that is no duration", () => {
  assert.throws(() => durationFlag("wait", { default: "5 minutes", help: "" }), TypeError);
});

Deno.test("listFlag() splits at commas only when told so", () => {
  assert.deepEqual(listFlag("san", { help: "" }).convert(["a,b", "c"]), ["a,b", "c"]);
  assert.deepEqual(listFlag("san", { commaSeparated: true, help: "" }).convert(["a, b,", "c"]), ["a", "b", "c"]);
});

Deno.test("defineCommand() refuses two flags of one name, and the names that every command has", () => {
  const define = (flags: Record<string, ReturnType<typeof stringFlag>>) =>
    defineCommand({
      name: "x",
      summary: "",
      description: "",
      flags,
      goStyle: true,
      examples: [],
      run: () => Promise.resolve(0),
    });
  const one = stringFlag("one", { help: "" });
  assert.throws(() => define({ one, two: one }), { message: 'Cannot define command "x": flag "one" is there twice' });
  assert.throws(() => define({ output: stringFlag("output", { help: "" }) }), { message: /"output" is there twice/ });
});
