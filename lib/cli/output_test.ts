// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { PeerctlError } from "../errors.ts";
import { createOutput, errorText, type OutputFormat } from "./output.ts";

function capture(format: OutputFormat = "text", debug = false) {
  const printed = { stdout: "", stderr: "" };
  const output = createOutput({
    command: "peerctl apf",
    format,
    debug,
    stdout: (text) => printed.stdout += text,
    stderr: (text) => printed.stderr += text,
  });
  return { output, printed };
}

Deno.test("Output.table() keeps each row on its line, whatever a cell holds", () => {
  const { output, printed } = capture();
  output.table([["POD", "ERROR"], ["web", "first\nsecond \x1b[31m"]]);
  assert.equal(printed.stdout, "POD  ERROR\nweb  first second ?[31m\n");
});

Deno.test("Output.error() prints the error with its causes, then its hint", () => {
  const { output, printed } = capture();
  const cause = new Error("connect failed", { cause: new Error("no route to host") });
  output.error(new PeerctlError("peer", 'Cannot reach agent "a.sock"', { hint: "start the agent first", cause }));
  assert.deepEqual(printed, {
    stdout: "",
    stderr:
      'peerctl apf: error: Cannot reach agent "a.sock": connect failed: no route to host\npeerctl apf: hint: start the agent first\n',
  });
});

Deno.test("Output.error() prints each problem of several, and a shared hint once", () => {
  const { output, printed } = capture();
  const problem = (message: string) => new PeerctlError("usage", message, { hint: "see the help" });
  output.error(new AggregateError([problem("Cannot a"), problem("Cannot b"), new Error("c")]));
  assert.equal(
    printed.stderr,
    "peerctl apf: error: Cannot a\npeerctl apf: hint: see the help\npeerctl apf: error: Cannot b\npeerctl apf: error: c\n",
  );
});

Deno.test("Output.error() keeps an error on one line and control characters off the terminal", () => {
  const { output, printed } = capture();
  output.error(new Error("a\n  b\u001b[31mc"));
  assert.equal(printed.stderr, "peerctl apf: error: a b?[31mc\n");
});

Deno.test("Output.error() prints one JSON object when JSON was asked for", () => {
  const { output, printed } = capture("json");
  output.error(new AggregateError([new PeerctlError("config", "Cannot a", { hint: "b" }), new Error("c")]));
  assert.deepEqual(JSON.parse(printed.stderr), {
    command: "peerctl apf",
    errors: [{ kind: "config", message: "Cannot a", hint: "b" }, { kind: "failed", message: "c" }],
  });
  assert.equal(printed.stderr.trim().split("\n").length, 1);
});

Deno.test("Output.error() shows the stack only when debugging", () => {
  const plain = capture("text", false), debug = capture("text", true);
  plain.output.error(new Error("a"));
  debug.output.error(new Error("a"));
  assert.doesNotMatch(plain.printed.stderr, /output_test\.ts/);
  assert.match(debug.printed.stderr, /output_test\.ts/);
});

Deno.test("Output.table() aligns columns without blanks at the ends of lines", () => {
  const { output, printed } = capture();
  output.table([["NAME", "STATE"], ["a", "open"], ["long-name", ""]]);
  assert.equal(printed.stdout, "NAME       STATE\na          open\nlong-name\n");
});

Deno.test("errorText() leaves out a cause that its error already quotes, and ends a ring of causes", () => {
  const inner = new Error("refused");
  assert.equal(errorText(new Error("Cannot dial: refused", { cause: inner })), "Cannot dial: refused");
  const ring = new Error("a");
  ring.cause = ring;
  assert.equal(errorText(ring), "a");
  assert.equal(errorText("text"), "text");
});
