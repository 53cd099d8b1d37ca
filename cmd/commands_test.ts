// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import manifest from "../deno.json" with { type: "json" };
import { withSubcommands } from "../lib/cli/command.ts";
import { parseInvocation } from "../lib/cli/parse.ts";
import { loadCommands } from "../lib/cli/program.ts";
import { PEERCTL_FILE, peerctlCommand, runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { loaders } from "../main.ts";

const ROOT = new URL("../", import.meta.url).pathname;

Deno.test("every command answers to its name and its aliases, and to nothing else", async () => {
  const answers: Record<string, string[]> = {};
  for (const [word, load] of Object.entries(loaders)) {
    const { name, aliases } = (await load()).default;
    (answers[name] ??= []).push(word);
    assert.ok([name, ...aliases ?? []].includes(word), `${name} does not know that it is called ${word}`);
  }
  for (const load of new Set(Object.values(loaders))) {
    const { name, aliases } = (await load()).default;
    assert.deepEqual(answers[name]?.toSorted(), [name, ...aliases ?? []].toSorted());
  }
});

Deno.test("every command has examples, and each of them is a command line that it takes", async () => {
  for (const command of withSubcommands(await loadCommands(loaders))) {
    assert.ok(command.examples.length > 0, `${command.name} has no example`);
    const words = command.name.split(" ");
    for (const example of command.examples) {
      const line = shellWords(example.command);
      const args = line.slice(words.length);
      assert.deepEqual(line.slice(0, words.length), words, example.command);
      const { problems } = parseInvocation(command, args, {});
      assert.deepEqual(problems.map((problem) => problem.message), [], example.command);
    }
  }
});

Deno.test("every summary and every flag's help is a phrase: no capital at its beginning, no full stop", async () => {
  for (const load of new Set(Object.values(loaders))) {
    const { name, summary, flags, selector } = (await load()).default;
    const choices = Object.values(selector?.choices ?? {});
    const all = [flags, ...choices.map((choice) => choice.flags)].flatMap((table) => Object.values(table));
    for (const text of [summary, ...choices.map((choice) => choice.summary), ...all.map((flag) => flag.help)]) {
      assert.match(text, /^(?:[a-z]|[A-Z]{2})(?:.*[^.])?$/s, `${name}: ${text}`);
    }
  }
});

Deno.test("peerctl help lists the commands; peerctl alone does so on stderr with exit 2", async (t) => {
  const help = await runPeerctl(["help"]);
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  await t.assertSnapshot(help.stdout);
  assert.deepEqual(await runPeerctl([]), { code: 2, stdout: "", stderr: help.stdout });
});

Deno.test("peerctl refuses an unknown command with exit 2", async () => {
  assert.deepEqual(await runPeerctl(["relai"]), {
    code: 2,
    stdout: "",
    stderr:
      'peerctl: error: Cannot run "relai": there is no such command\npeerctl: hint: did you mean "peerctl relay"?\n',
  });
});

Deno.test("peerctl version says which build it is", async () => {
  const text = await runPeerctl(["version"]);
  assert.equal(text.code, 0);
  assert.match(text.stdout, new RegExp(`^peerctl +${manifest.version.replaceAll(".", "\\.")}\n`));
  const json = JSON.parse((await runPeerctl(["version", "--output", "json"])).stdout);
  assert.deepEqual(
    { ...json, commit: /^([0-9a-f]{40}(-modified)?|unknown)$/.test(json.commit) },
    {
      version: manifest.version,
      commit: true,
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      target: Deno.build.target,
    },
  );
});

Deno.test("peerctl runs the command it is called by, through a symbolic link", async () => {
  await withTempDir(async (dir) => {
    for (const folder of ["lib", "cmd", "deno.json"]) await Deno.symlink(`${ROOT}${folder}`, `${dir}/${folder}`);
    for (const name of Object.keys(loaders)) {
      await Deno.symlink(PEERCTL_FILE, `${dir}/${name}`);
      const called = await runPeerctl(["--help"], { mainFile: `${dir}/${name}` });
      assert.deepEqual(called, await runPeerctl(["help", name]), name);
      assert.equal(called.code, 0, name);
    }
  });
});

Deno.test("peerctl runs the command that a launcher names in PEERCTL_ARGV0, or in argv[0]", async () => {
  const help = await runPeerctl(["help", "apf"]);
  const env = { PEERCTL_ARGV0: "/usr/local/bin/agent-protocol-forwarder" };
  assert.deepEqual(await runPeerctl(["-help"], { env }), help);
  // A script, as a packed peerctl is, never sees its argv[0].
  const command = new TextDecoder().decode(Deno.readFileSync(peerctlCommand[0]).subarray(0, 2)) === "#!"
    ? [Deno.execPath(), "run", "--quiet", "-A", `${ROOT}main.ts`]
    : peerctlCommand;
  const script = 'exec -a /opt/agent-protocol-forwarder "$0" "$@" -help';
  const child = await new Deno.Command("bash", { args: ["-c", script, ...command] }).output();
  assert.equal(new TextDecoder().decode(child.stdout), help.stdout);
});

Deno.test("peerctl caa asks for its provider as the Go program does, with exit code 2 where that has 1", async () => {
  const help = await runPeerctl(["help", "caa"]);
  assert.deepEqual(await runPeerctl(["caa"]), { code: 2, stdout: "", stderr: help.stdout });
  assert.deepEqual(await runPeerctl(["caa", "help"]), help);
  assert.deepEqual(await runPeerctl(["caa", "process", "-help"]), help);
  assert.deepEqual(await runPeerctl(["caa", "version"]), await runPeerctl(["version"]));
  const unknown = await runPeerctl(["caa", "proces"]);
  assert.equal(unknown.code, 2);
  assert.equal(
    unknown.stderr,
    'peerctl caa: error: Cannot run caa with provider "proces": it is not known\n' +
      "peerctl caa: hint: did you mean process? known: process\n",
  );
  assert.equal((await runPeerctl(["caa", "-socket", "/run/x"])).code, 2);
});

Deno.test("peerctl caa reports every mistake of flags and environment at once", async () => {
  const args = ["caa", "process", "-forwarder-port", "0", "-secure-comms", "-sokcet", "/run/x"];
  const { code, stdout, stderr } = await runPeerctl(args, { env: { PROXY_TIMEOUT: "5 minutes", VXLAN_PORT: "4789" } });
  assert.deepEqual([code, stdout], [2, ""]);
  for (const word of ["-forwarder-port", "-secure-comms", "-sokcet", "PROXY_TIMEOUT", "VXLAN_PORT"]) {
    assert.equal(
      stderr.split("\n").filter((line) => line.includes(`error: Cannot use`) && line.includes(word)).length,
      1,
      stderr,
    );
  }
  assert.match(stderr, /hint: did you mean -socket\?/);
});

Deno.test("peerctl caa --print-config shows where each value comes from", async () => {
  const args = ["caa", "process", "-pods-dir=/run/pods", "--print-config", "-output", "json"];
  const env = { PODS_DIR: "/env/pods", FORWARDER_PORT: "15151", CERT_KEY: "" };
  const { code, stdout } = await runPeerctl(args, { env });
  assert.equal(code, 0);
  const { values, choice } = JSON.parse(stdout);
  assert.equal(choice, "process");
  assert.deepEqual(values["pods-dir"], { value: "/run/pods", source: "flag" });
  assert.deepEqual(values["forwarder-port"], { value: 15151, source: "env", env: "FORWARDER_PORT" });
  assert.deepEqual(values["cert-key"], { value: "", source: "default" });
  assert.deepEqual(values["proxy-timeout"], { value: "5m", source: "default" });
});

Deno.test("peerctl stays quiet when the reader of its output goes away", async () => {
  const script = 'set -o pipefail; "$0" "$@" help caa | head -c 1';
  const child = await new Deno.Command("bash", { args: ["-c", script, ...peerctlCommand] }).output();
  assert.deepEqual([child.code, new TextDecoder().decode(child.stderr)], [0, ""]);
});

Deno.test("peerctl completion writes a script that bash takes and that knows every command", async () => {
  const { code, stdout } = await runPeerctl(["completion", "bash"]);
  assert.equal(code, 0);
  const ask =
    `${stdout}\nCOMP_WORDS=(peerctl caa process -forwarder-p); COMP_CWORD=3; _peerctl; echo "\${COMPREPLY[@]}"`;
  const bash = await new Deno.Command("bash", { args: ["--norc", "-c", ask] }).output();
  assert.equal(new TextDecoder().decode(bash.stdout).trim(), "-forwarder-port");
  assert.doesNotMatch(stdout, /stand-in-agent/);
  assert.equal((await runPeerctl(["completion", "tcsh"])).code, 2);
  assert.equal((await runPeerctl(["completion"])).code, 2);
});

/** Splits an example at blanks, up to what a shell would do with the output; quotes hold together. */
function shellWords(line: string): string[] {
  const command = line.split(/ (?:>|\||&&|&|<|2>)/)[0]!;
  return (command.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? []).map((word) => word.replaceAll(/['"]/g, ""));
}
