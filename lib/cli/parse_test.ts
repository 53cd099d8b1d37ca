// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { sampleServer, sampleTool } from "../testing/sample_commands.ts";
import { defineCommand } from "./command.ts";
import { parseInvocation } from "./parse.ts";

const serve = (args: string[], env: Record<string, string> = {}) => parseInvocation(sampleServer(), args, env);
const make = (args: string[]) => parseInvocation(sampleTool(), args, {});
const messages = (invocation: { problems: readonly Error[] }) => invocation.problems.map((problem) => problem.message);

Deno.test("parseInvocation() gives defaults their types", () => {
  const { values, choice, problems, wants, format } = serve(["local"]);
  assert.deepEqual({ values, choice, problems, wants, format }, {
    values: {
      socket: "/run/s.sock",
      port: 8000,
      isSafe: false,
      waitMs: 300_000,
      tags: [],
      token: "",
      level: "low",
      tunnel: undefined,
    },
    choice: { name: "local", values: { depth: 1 } },
    problems: [],
    wants: "run",
    format: "text",
  });
});

Deno.test("parseInvocation() prefers the flag to the environment and the environment to the default", () => {
  const env = { SOCKET_PATH: "/env", PORT: "9000", WAIT: "" };
  const { values, settings } = serve(["local", "-socket", "/flag"], env);
  assert.deepEqual([values.socket, values.port, values.waitMs], ["/flag", 9000, 300_000]);
  const sources = Object.fromEntries(settings.map(({ flag, source }) => [flag.name, source]));
  assert.deepEqual([sources.socket, sources.port, sources.wait], ["flag", "env", "default"]);
});

Deno.test("parseInvocation() takes the last value of a flag and every value of a list", () => {
  const { values } = serve(["local", "-port", "1", "-port", "2", "-tags", "a, b", "-tags", ",c"]);
  assert.deepEqual([values.port, values.tags], [2, ["a", "b", "c"]]);
});

Deno.test("parseInvocation() reads Go's booleans, from the flag and from the environment", () => {
  for (const text of ["1", "t", "T", "TRUE", "true", "True"]) {
    assert.equal(serve(["local", `-safe=${text}`]).values.isSafe, true, text);
    assert.equal(serve(["local"], { SAFE: text }).values.isSafe, true, text);
  }
  for (const text of ["0", "f", "F", "FALSE", "false", "False"]) {
    assert.equal(serve(["local", `-safe=${text}`], { SAFE: "1" }).values.isSafe, false, text);
  }
  assert.deepEqual(messages(serve(["local"], { SAFE: "yes" })), ['Cannot use SAFE="yes": must be true or false']);
});

Deno.test("parseInvocation() reports every problem of flags, environment and arguments together", () => {
  const args = ["local", "-prot", "1", "-depth", "12", "-level=mid", "-wait", "5", "-tunnel", "x", "extra"];
  assert.deepEqual(messages(serve(args, { PORT: "0", SAFE: "perhaps" })), [
    "Cannot use -prot: there is no such flag",
    'Cannot use PORT="0": must be a whole number from 1 to 65535',
    'Cannot use SAFE="perhaps": must be true or false',
    'Cannot use -wait "5": must be a duration such as "5m", "1h30m" or "1.5s"',
    'Cannot use -level "mid": must be one of low, high',
    "Cannot use -tunnel: this version has no tunnel",
    'Cannot use -depth "12": must be a whole number from 1 to 9',
    'Cannot use argument "extra": there are no arguments besides flags',
  ]);
});

Deno.test("parseInvocation() refuses numbers that are not whole decimal numbers", () => {
  for (const text of ["", " 1", "1.5", "0x10", "1e3", "Infinity", "99999999999999999999"]) {
    assert.equal(serve(["local", `-port=${text}`]).problems.length, 1, JSON.stringify(text));
  }
});

Deno.test("parseInvocation() never repeats a secret", () => {
  const secret = { ...sampleServer() };
  const flag = {
    ...secret.flags.token!,
    convert: () => {
      throw new RangeError("must be longer");
    },
  };
  const command = { ...secret, flags: { token: flag } };
  const byFlag = parseInvocation(command, ["local", "-token", "s3cret"], {});
  const byEnv = parseInvocation(command, ["local"], { TOKEN: "s3cret" });
  assert.deepEqual(messages(byFlag), ["Cannot use -token: must be longer"]);
  assert.deepEqual(messages(byEnv), ["Cannot use the environment variable TOKEN: must be longer"]);
});

Deno.test("parseInvocation() refuses a flag of a later version, unless it asks for nothing", () => {
  assert.deepEqual(messages(serve(["local"], { TUNNEL: "vxlan" })), [
    "Cannot use the environment variable TUNNEL: this version has no tunnel",
  ]);
  assert.deepEqual(messages(serve(["local"], { TUNNEL: "False" })), []);
  assert.deepEqual(messages(serve(["local", "-tunnel=false"])), []);
});

Deno.test("parseInvocation() wants the selector first, and its flags only with their choice", () => {
  assert.equal(serve([]).wants, "missing-choice");
  assert.equal(serve(["help"]).wants, "help");
  assert.equal(serve(["version"]).wants, "version");
  assert.equal(serve(["local", "-help"]).wants, "help");
  assert.equal(serve(["-help"]).wants, "help");
  assert.deepEqual(messages(serve(["local", "-zone", "x"])), ["Cannot use -zone: there is no such flag"]);
  assert.deepEqual(messages(serve(["remote"])), ["Cannot run without -zone: where"]);
  const dash = serve(["-port", "1", "local"]);
  assert.deepEqual(messages(dash).slice(0, 1), ["Cannot run serve: no provider before the first flag"]);
  const unknown = serve(["locla", "-port", "x"]);
  assert.deepEqual(
    messages(unknown),
    [
      'Cannot run serve with provider "locla": it is not known',
      'Cannot use -port "x": must be a whole number from 1 to 65535',
      "Cannot run without -zone: where",
    ].slice(0, messages(unknown).length),
  );
  assert.equal(unknown.problems[0]!.hint, "did you mean local? known: local, remote");
  assert.deepEqual(messages(serve(["constructor"])).slice(0, 1), [
    'Cannot run serve with provider "constructor": it is not known',
  ]);
});

Deno.test("parseInvocation() checks arguments against their choices and number", () => {
  assert.deepEqual(make(["red", "--name", "x"]).args, ["red"]);
  assert.deepEqual(messages(make(["bleu", "--name", "x"])), ['Cannot use COLOUR "bleu": must be one of red, blue']);
  assert.deepEqual(messages(make(["red", "blue", "--name", "x"])), [
    'Cannot use argument "blue": at most 1 can be given',
  ]);
  assert.deepEqual(messages(make([])), ["Cannot run without --name: name on the sample"]);
});

Deno.test("parseInvocation() knows help, print-config and output everywhere", () => {
  assert.equal(make(["-h", "--nonsense"]).wants, "help");
  assert.equal(make(["--name", "x", "--print-config"]).wants, "print-config");
  assert.equal(make(["--name", "x", "--output=json"]).format, "json");
  assert.equal(make(["--name", "x", "--output=table"]).format, "text");
  assert.deepEqual(messages(make(["--name", "x", "--output", "yaml"])), [
    'Cannot use --output "yaml": must be one of text, json, table',
  ]);
});

Deno.test("parseInvocation() takes the words of --output that a command has of its own, with errors as text", () => {
  const printing = defineCommand({
    name: "print",
    summary: "print",
    description: "Prints.",
    flags: {},
    outputs: { words: ["yaml"], help: "yaml prints YAML" },
    goStyle: false,
    examples: [],
    run: () => Promise.resolve(0),
  });
  const own = parseInvocation(printing, ["--output", "yaml"], {});
  assert.deepEqual([own.format, own.outputWord, own.problems], ["text", "yaml", []]);
  assert.equal(parseInvocation(printing, ["--output", "json"], {}).format, "json");
  assert.match(parseInvocation(printing, ["--output", "xml"], {}).problems[0]!.message, /text, json, table, yaml/);
});
