// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { fillAgentCommand, parseAgentCommand, splitWords } from "./agent_command.ts";

Deno.test("splitWords() splits as a shell does and expands nothing", () => {
  const cases: [string, string[]][] = [
    ["", []],
    ["  ", []],
    ["agent {socket}", ["agent", "{socket}"]],
    [" a\t'b c'  \"d \\\" e\" '' {dir}/f ", ["a", "b c", 'd " e', "", "{dir}/f"]],
    ["a\\ b $HOME 'it'\\''s' {socket}", ["a b", "$HOME", "it's", "{socket}"]],
    ['"a\\n" {socket}', ["a\\n", "{socket}"]],
  ];
  for (const [text, words] of cases) assert.deepEqual(splitWords(text), words, text);
});

Deno.test("parseAgentCommand() refuses an open quote and a command that does not say where to listen", () => {
  assert.deepEqual(parseAgentCommand(""), []);
  assert.deepEqual(parseAgentCommand("agent {dir}/s"), ["agent", "{dir}/s"]);
  assert.throws(() => parseAgentCommand("agent '{socket}"), /a quote is not closed/);
  assert.throws(() => parseAgentCommand("kata-agent"), /must hold \{socket\}/);
});

Deno.test("fillAgentCommand() replaces the placeholders wherever they are, as they are", () => {
  const filled = fillAgentCommand(["env", "A=unix://{socket}", "{dir}{dir}", "{other}"], { socket: "/s$&", dir: "/d" });
  assert.deepEqual(filled, ["env", "A=unix:///s$&", "/d/d", "{other}"]);
});
