// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { PeerctlError } from "../errors.ts";
import { type SampleRun, sampleServer, sampleTool } from "../testing/sample_commands.ts";
import { runProgram } from "./program.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The names of the loaders that were used. */
  readonly loaded: readonly string[];
}

async function run(
  args: string[],
  o: { calledAs?: string; env?: Record<string, string>; run?: SampleRun } = {},
): Promise<Ran> {
  let stdout = "", stderr = "";
  const loaded: string[] = [];
  const serve = () => {
    loaded.push("serve");
    return Promise.resolve({ default: sampleServer(o.run) });
  };
  const make = () => {
    loaded.push("make");
    return Promise.resolve({ default: sampleTool(o.run) });
  };
  const code = await runProgram({
    loaders: { serve, "old-server": serve, make },
    calledAs: o.calledAs ?? "",
    args,
    env: o.env ?? {},
    selfCommand: ["peerctl"],
    stdout: (text) => stdout += text,
    stderr: (text) => stderr += text,
  });
  return { code, stdout, stderr, loaded };
}

Deno.test("runProgram() shows the commands on stdout when asked, and on stderr with exit 2 when not", async (t) => {
  const asked = await run(["--help"]);
  await t.assertSnapshot(asked.stdout);
  assert.deepEqual([asked.code, asked.stderr], [0, ""]);
  for (const words of [["help"], ["-h"], ["-help"]]) assert.equal((await run(words)).stdout, asked.stdout);
  const bare = await run([]);
  assert.deepEqual([bare.code, bare.stdout, bare.stderr], [2, "", asked.stdout]);
});

Deno.test("runProgram() shows a command's help, however it is asked for", async (t) => {
  const help = await run(["help", "serve"]);
  await t.assertSnapshot(help.stdout);
  assert.equal(help.code, 0);
  for (const words of [["serve", "-help"], ["serve", "local", "--help"], ["serve", "help"], ["old-server", "-h"]]) {
    const other = await run(words);
    assert.deepEqual([other.code, other.stdout], [0, help.stdout], words.join(" "));
  }
  const tool = await run(["make", "--help"]);
  await t.assertSnapshot(tool.stdout);
});

Deno.test("runProgram() runs a subcommand with its own flags and arguments, and shows its help", async (t) => {
  const seen: unknown[] = [];
  const sample: SampleRun = ({ values, choice, args }) => {
    seen.push({ values, choice, args });
    return Promise.resolve(0);
  };
  for (const words of [["serve", "drop", "x", "--all"], ["old-server", "drop", "-all", "x"]]) {
    assert.equal((await run(words, { run: sample })).code, 0);
  }
  assert.deepEqual(seen, Array(2).fill({ values: { all: true }, choice: undefined, args: ["x"] }));
  const help = await run(["help", "serve", "drop"]);
  await t.assertSnapshot(help.stdout);
  assert.equal((await run(["serve", "drop", "--help"])).stdout, help.stdout);
  const missing = await run(["serve", "drop"]);
  assert.deepEqual([missing.code, missing.stderr], [
    2,
    "peerctl serve drop: error: Cannot run without SAMPLE: what to drop\n",
  ]);
  const late = await run(["serve", "local", "-safe", "drop"]);
  assert.match(late.stderr, /hint: did you mean "peerctl serve drop \[flags\]"\?/);
  assert.match((await run(["serve", "drob"])).stderr, /hint: did you mean drop\?/);
});

Deno.test("runProgram() shows help on stderr with exit 2 when the selector is missing", async () => {
  const { code, stdout, stderr } = await run(["serve"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /Usage:\n {2}\$ peerctl serve <provider> \[flags\]/);
});

Deno.test("runProgram() refuses an unknown command and suggests the one that was meant", async () => {
  const { code, stderr, loaded } = await run(["srve"]);
  assert.equal(code, 2);
  assert.equal(
    stderr,
    'peerctl: error: Cannot run "srve": there is no such command\npeerctl: hint: did you mean "peerctl serve"?\n',
  );
  assert.deepEqual(loaded, []);
  assert.match((await run(["banana"])).stderr, /hint: run "peerctl help"/);
  assert.match((await run(["help", "srve"])).stderr, /did you mean "peerctl serve"/);
  assert.deepEqual(JSON.parse((await run(["srve", "--output", "json"])).stderr).errors[0].kind, "usage");
});

Deno.test("runProgram() runs the command it was called by, with all its arguments", async () => {
  let seen: unknown;
  const called = await run(["local", "-depth", "3"], {
    calledAs: "old-server",
    run: ({ choice }) => {
      seen = choice;
      return Promise.resolve(0);
    },
  });
  assert.deepEqual([called.code, seen], [0, { name: "local", values: { depth: 3 } }]);
});

Deno.test("runProgram() loads only the command that runs", async () => {
  assert.deepEqual((await run(["make", "--name", "x"])).loaded, ["make"]);
});

Deno.test("runProgram() reports all problems at once with exit 2 and does not run", async () => {
  const { code, stderr } = await run(["make", "--nmae", "x", "--out-dri=y", "green"], {
    run: () => Promise.reject(new Error("ran")),
  });
  assert.equal(code, 2);
  assert.equal(
    stderr,
    [
      "error: Cannot use --nmae: there is no such flag",
      "hint: did you mean --name?",
      "error: Cannot use --out-dri: there is no such flag",
      "hint: did you mean --out-dir?",
      "error: Cannot run without --name: name on the sample",
      'error: Cannot use COLOUR "green": must be one of red, blue',
    ].map((line) => `peerctl make: ${line}\n`).join(""),
  );
});

Deno.test("runProgram() turns what a command throws into a line and an exit code", async () => {
  const failing = (error: Error) => run(["make", "--name", "x"], { run: () => Promise.reject(error) });
  const config = await failing(new PeerctlError("config", 'Cannot read "x"', { hint: "create it" }));
  assert.deepEqual([config.code, config.stderr], [
    1,
    'peerctl make: error: Cannot read "x"\npeerctl make: hint: create it\n',
  ]);
  assert.equal((await failing(new PeerctlError("usage", "Cannot use a with b"))).code, 2);
  assert.equal((await failing(new AggregateError([new Error("a"), new PeerctlError("usage", "b")]))).code, 2);
  assert.equal((await failing(new TypeError("a mistake"))).code, 1);
  const threwAtOnce = await run(["make", "--name", "x"], {
    run: () => {
      throw new Error("at once");
    },
  });
  assert.deepEqual([threwAtOnce.code, threwAtOnce.stderr], [1, "peerctl make: error: at once\n"]);
});

Deno.test("runProgram() passes on the exit code of a command", async () => {
  assert.equal((await run(["make", "--name", "x"], { run: () => Promise.resolve(3) })).code, 3);
});

Deno.test("runProgram() shows stacks when PEERCTL_DEBUG is 1", async () => {
  const error = new Error("here");
  const ran = (env: Record<string, string>) => run(["make", "--name", "x"], { env, run: () => Promise.reject(error) });
  assert.match((await ran({ PEERCTL_DEBUG: "1" })).stderr, /program_test\.ts/);
  assert.doesNotMatch((await ran({})).stderr, /program_test\.ts/);
});

const EFFECTIVE_ENV = { PORT: "9000", TOKEN: "s3cret", TAGS: "a,b" };

Deno.test("runProgram() prints the effective values as a table, secrets masked", async (t) => {
  const { code, stdout } = await run(["serve", "local", "-print-config", "-safe"], { env: EFFECTIVE_ENV });
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /s3cret/);
  await t.assertSnapshot(stdout);
});

Deno.test("runProgram() prints the effective values as JSON, secrets masked", async () => {
  const { code, stdout } = await run(["serve", "local", "-print-config", "-output=json"], { env: EFFECTIVE_ENV });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), {
    command: "serve",
    choice: "local",
    values: {
      socket: { value: "/run/s.sock", source: "default" },
      port: { value: 9000, source: "env", env: "PORT" },
      safe: { value: false, source: "default" },
      wait: { value: "5m", source: "default" },
      tags: { value: ["a", "b"], source: "env", env: "TAGS" },
      token: { value: "********", source: "env", env: "TOKEN" },
      level: { value: "low", source: "default" },
      depth: { value: 1, source: "default" },
    },
  });
});
