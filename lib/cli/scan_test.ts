// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { scanArguments } from "./scan.ts";

const flags = [
  { name: "ca-cert-file", takes: "word" },
  { name: "listen", takes: "word" },
  { name: "disable-tls", takes: "equals" },
  { name: "tunnel", takes: "maybe" },
] as const;

function scan(args: string[], goStyle = true) {
  const { given, rest, problems } = scanArguments(args, { flags, goStyle });
  return { given: Object.fromEntries(given), rest, problems: problems.map((problem) => problem.message) };
}

const table: { name: string; args: string[]; given: Record<string, string[]>; rest?: string[]; goStyle?: false }[] = [
  { name: "one dash and a word", args: ["-ca-cert-file", "x"], given: { "ca-cert-file": ["x"] } },
  { name: "two dashes and a word", args: ["--ca-cert-file", "x"], given: { "ca-cert-file": ["x"] } },
  { name: "one dash and =", args: ["-ca-cert-file=x"], given: { "ca-cert-file": ["x"] } },
  { name: "two dashes and =", args: ["--ca-cert-file=x=y"], given: { "ca-cert-file": ["x=y"] } },
  { name: "an empty value after =", args: ["-listen="], given: { listen: [""] } },
  { name: "a value with line breaks", args: ["-listen=a\nb"], given: { listen: ["a\nb"] } },
  {
    name: "values exactly as they are",
    args: ["-listen", "007", "-ca-cert-file", "1e3"],
    given: { listen: ["007"], "ca-cert-file": ["1e3"] },
  },
  { name: "a value that begins with a dash", args: ["-listen", "-1"], given: { listen: ["-1"] } },
  { name: "a value that is two dashes", args: ["-listen", "--"], given: { listen: ["--"] } },
  { name: "a bare flag", args: ["-disable-tls", "-listen", "x"], given: { "disable-tls": ["true"], listen: ["x"] } },
  { name: "a bare flag with =", args: ["-disable-tls=false"], given: { "disable-tls": ["false"] } },
  {
    name: "a bare flag takes no word",
    args: ["-disable-tls", "false"],
    given: { "disable-tls": ["true"] },
    rest: ["false"],
  },
  { name: "every value, in order", args: ["-listen", "a", "-listen", "b"], given: { listen: ["a", "b"] } },
  {
    name: "Go style: the first word ends the flags",
    args: ["-listen", "a", "w", "-listen", "b"],
    given: { listen: ["a"] },
    rest: ["w", "-listen", "b"],
  },
  { name: "Go style: a single dash is a word", args: ["-", "-listen", "b"], given: {}, rest: ["-", "-listen", "b"] },
  { name: "Go style: two dashes end the flags", args: ["--", "-listen"], given: {}, rest: ["-listen"] },
  {
    name: "otherwise flags stand anywhere",
    args: ["w", "-listen", "a", "v"],
    given: { listen: ["a"] },
    rest: ["w", "v"],
    goStyle: false,
  },
  {
    name: "otherwise until two dashes",
    args: ["w", "--", "-listen", "a"],
    given: {},
    rest: ["w", "-listen", "a"],
    goStyle: false,
  },
];

for (const { name, args, given, rest, goStyle } of table) {
  Deno.test(`scanArguments() reads ${name}`, () => {
    assert.deepEqual(scan(args, goStyle ?? true), { given, rest: rest ?? [], problems: [] });
  });
}

Deno.test("scanArguments() goes on after a mistake and reports them all", () => {
  assert.deepEqual(scan(["-lisen", "x", "-nope=1", "-disable-tls", "-listen"]), {
    given: { "disable-tls": ["true"] },
    rest: [],
    problems: [
      "Cannot use -lisen: there is no such flag",
      "Cannot use -nope: there is no such flag",
      "Cannot use -listen: it needs a value",
    ],
  });
});

Deno.test("scanArguments() refuses what only looks like a flag", () => {
  assert.deepEqual(scan(["---listen", "-=x"]).problems, [
    'Cannot use "--listen": it is not a flag',
    'Cannot use "-": it is not a flag',
  ]);
});

Deno.test("scanArguments() suggests the flag that was meant, with the command's dashes", () => {
  const hints = (goStyle: boolean) => scanArguments(["--disable-tsl"], { flags, goStyle }).problems[0]!.hint;
  assert.equal(hints(true), "did you mean -disable-tls?");
  assert.equal(hints(false), "did you mean --disable-tls?");
});

Deno.test("scanArguments() never repeats the value of an unknown flag", () => {
  assert.doesNotMatch(JSON.stringify(scan(["-tokne=s3cret", "-tokne", "s3cret"])), /s3cret/);
});
