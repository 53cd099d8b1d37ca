// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { requirePeer } from "../testing/peers.ts";
import { sampleServer, sampleTool } from "../testing/sample_commands.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { bashCompletion } from "./completion_bash.ts";
import { fishCompletion } from "./completion_fish.ts";
import { describeCommands } from "./completion_model.ts";
import { zshCompletion } from "./completion_zsh.ts";

const commands = describeCommands([sampleServer(), sampleTool(), {
  ...sampleTool(),
  name: "secret-tool",
  hidden: true,
}]);

/** Words of a command line, the last one being completed, and what the shell must offer; `files` stands in a folder with a-file and a-dir/. */
const cases: { words: string[]; offers: string[] }[] = [
  { words: ["peerctl", ""], offers: ["help", "make", "serve"] },
  { words: ["peerctl", "s"], offers: ["serve"] },
  { words: ["peerctl", "help", "m"], offers: ["make"] },
  { words: ["peerctl", "serve", ""], offers: ["drop", "help", "local", "remote", "version"] },
  { words: ["peerctl", "serve", "d"], offers: ["drop"] },
  { words: ["peerctl", "serve", "drop", "--a"], offers: ["--all"] },
  { words: ["peerctl", "serve", "drop", "--so"], offers: [] },
  { words: ["peerctl", "old-server", "l"], offers: ["local"] },
  { words: ["/opt/bin/old-server", "l"], offers: ["local"] },
  { words: ["peerctl", "serve", "local", "-de"], offers: ["-depth"] },
  { words: ["peerctl", "serve", "remote", "-de"], offers: [] },
  { words: ["peerctl", "serve", "local", "--so"], offers: ["--socket"] },
  { words: ["peerctl", "serve", "local", "-level", ""], offers: ["high", "low"] },
  { words: ["peerctl", "serve", "local", "-level", "h"], offers: ["high"] },
  { words: ["peerctl", "make", "--for"], offers: ["--force"] },
  { words: ["peerctl", "make", "--out-dir", "a"], offers: ["a-dir"] },
  { words: ["peerctl", "make", "--key-file", "a"], offers: ["a-dir", "a-file"] },
  { words: ["peerctl", "make", "--name", ""], offers: [] },
  { words: ["peerctl", "make", "--name", "x", ""], offers: ["blue", "red"] },
  { words: ["peerctl", "make", "--output", ""], offers: ["json", "table", "text"] },
  { words: ["peerctl", "nonsense", ""], offers: [] },
  { words: ["peerctl", "serve", "local", "-tunnel"], offers: [] },
];

Deno.test("describeCommands() leaves out hidden commands and refused flags", () => {
  assert.deepEqual(commands.map((command) => command.name), ["serve", "make"]);
  assert.ok(!commands[0]!.flags.some((flag) => flag.name === "tunnel"));
});

for (const { words, offers } of cases) {
  Deno.test(`bashCompletion() offers, after "${words.join(" ")}", ${offers.join(" ") || "nothing"}`, () =>
    inBash(words, offers));
  Deno.test({
    name: `zshCompletion() offers, after "${words.join(" ")}", ${offers.join(" ") || "nothing"}`,
    ...requirePeer("zsh"),
    fn: () => inZsh(words, offers),
  });
  Deno.test({
    name: `fishCompletion() offers, after "${words.join(" ")}", ${offers.join(" ") || "nothing"}`,
    ...requirePeer("fish"),
    fn: () => inFish(words, offers),
  });
}

// "=" is a word of its own in bash.
Deno.test('bashCompletion() completes the value after "="', async () => {
  await inBash(["peerctl", "serve", "local", "-level", "=", ""], ["high", "low"]);
  await inBash(["peerctl", "serve", "local", "-level", "="], ["high", "low"]);
  await inBash(["peerctl", "serve", "local", "-level", "=", "l"], ["low"]);
  await inBash(["peerctl", "serve", "local", "-safe", "=", "t"], ["true"]);
});

Deno.test({
  name: 'zshCompletion() completes the value after "="',
  ...requirePeer("zsh"),
  fn: () => inZsh(["peerctl", "serve", "local", "-level=h"], ["high"]),
});

Deno.test({
  name: 'fishCompletion() completes the value after "="',
  ...requirePeer("fish"),
  fn: () => inFish(["peerctl", "serve", "local", "--level=h"], ["--level=high"]),
});

async function inBash(words: string[], offers: string[]): Promise<void> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _peerctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  await inShell(["bash", "--norc", "-c"], `${bashCompletion(commands)}\n${ask}`, offers);
}

/** Runs the function in zsh with stand-ins for the builtins that work only while a line is being edited; they print what they are given, as far as it begins with the word. */
async function inZsh(words: string[], offers: string[]): Promise<void> {
  const standIns = `
    compdef() { true; }
    compset() { PREFIX=\${PREFIX#*=}; }
    compadd() { shift; for w; do [[ $w == $PREFIX* ]] && print -r -- $w; done; true; }
    _describe() { local -a all; all=("\${(@P)@[-1]}"); compadd -- \${all%%:*}; }
    _files() { if [[ $1 == -/ ]]; then compadd -- *(N/); else compadd -- *(N); fi; }`;
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const ask = `words=(${quoted}); CURRENT=${words.length}; PREFIX=\${words[CURRENT]}; _peerctl`;
  await inShell(["zsh", "-f", "-c"], `${standIns}\n${zshCompletion(commands)}\n${ask}`, offers);
}

async function inFish(words: string[], offers: string[]): Promise<void> {
  const line = words.join(" ").replace("/opt/bin/", "");
  const ask = `complete -C '${line}'`;
  await inShell(["fish", "--no-config", "-c"], `${fishCompletion(commands)}\n${ask}`, offers);
}

async function inShell([shell, ...options]: string[], script: string, offers: string[]): Promise<void> {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/a-dir`);
    await Deno.writeTextFile(`${dir}/a-file`, "");
    const child = new Deno.Command(shell!, { args: [...options, script], cwd: dir, env: { HOME: dir } });
    const { stdout, stderr } = await child.output();
    const offered = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
    // fish shows descriptions after a tab, and folders with a slash.
    const offeredWords = offered.map((line) => line.split("\t")[0]!.replace(/\/$/, ""));
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.deepEqual([...new Set(offeredWords)].sort(), offers);
  });
}
