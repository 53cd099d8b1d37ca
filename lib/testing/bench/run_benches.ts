// SPDX-License-Identifier: Apache-2.0
/** Runs benches of this folder and prints what they measured: `deno task bench agent --output json`. */

import { readdirSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { errorText } from "../../cli/output.ts";
import { PeerctlError } from "../../errors.ts";
import { peerPath, type PeerTool } from "../peers.ts";
import type { Bench } from "./bench.ts";
import { describeMachine, machineText, ranOnText } from "./machine.ts";
import { type BenchReport, collectRows, jsonReport, textReport } from "./report.ts";
import { withReports } from "./report_page.ts";

const ROUNDS = 4;

/** A bench is a file of this folder with such a name. */
const BENCH_FILE = /^(.+)_bench\.ts$/;

const USAGE =
  `usage: deno task bench [NAME…] [--output text|json] [--rounds N] [--seconds N] [--quick] [--v8-flags FLAGS]
                       [--into PAGE]

Without a name every bench runs but those that take long. Each subject is measured in turn, round by round.

  --output    json prints the same for a program (default text)
  --rounds    how often each is measured (default ${ROUNDS}, with --quick 1)
  --seconds   how long a measurement lasts; the default depends on the bench
  --quick     as short as possible: only to see that it works
  --v8-flags  flags of V8 for the processes of peerctl
  --into      also write the tables into this Markdown page, where it has places for them

PEERCTL_UNDER_TEST=dist/peerctl measures the built program instead of main.ts; --v8-flags are for main.ts alone.
`;

interface Asked {
  readonly names: readonly string[];
  readonly json: boolean;
  readonly rounds: number;
  readonly seconds: number | undefined;
  readonly quick: boolean;
  readonly v8Flags: string;
  /** A page to write the tables into; "" is none. */
  readonly into: string;
}

/** Returns the exit code: 0 done, 1 a bench failed or a goal's measurement is void, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const known = await loadBenches();
  let asked: Asked;
  try {
    asked = readArgs(args, known);
  } catch (error) {
    say(`${errorText(error)}\n\n${USAGE}\nBenches:\n${listOf(known)}`);
    return 2;
  }
  const reports: BenchReport[] = [];
  const tools: PeerTool[] = [];
  let failed = 0;
  for (const name of asked.names) {
    const bench = known.get(name)!;
    try {
      for (const tool of bench.needs) peerPath(tool);
      tools.push(...bench.needs);
      reports.push(await runBench(name, bench, asked));
    } catch (error) {
      failed++;
      say(`bench ${name}: ${errorText(error)}\n`);
      if (error instanceof PeerctlError && error.hint) say(`bench ${name}: hint: ${error.hint}\n`);
    }
  }
  const machine = await describeMachine(tools);
  if (asked.json) console.log(JSON.stringify({ machine, benches: reports.map(jsonReport) }, null, 2));
  else if (reports.length > 0) console.log([machineText(machine), ...reports.map(textReport)].join("\n").trimEnd());
  if (asked.into !== "" && reports.length > 0) {
    await Deno.writeTextFile(
      asked.into,
      await withReports(await Deno.readTextFile(asked.into), reports, ranOnText(machine)),
    );
  }
  return failed === 0 ? 0 : 1;
}

async function runBench(name: string, bench: Bench, asked: Asked): Promise<BenchReport> {
  const { rows, add } = collectRows();
  const remarks: string[] = [];
  await bench.run({
    rounds: asked.rounds,
    seconds: asked.seconds,
    quick: asked.quick,
    env: asked.v8Flags === "" ? {} : { DENO_V8_FLAGS: asked.v8Flags },
    note: (text) => say(`bench ${name}: ${text}\n`),
    add,
    remark: (text) => remarks.push(text),
  });
  return { name, rows, remarks };
}

async function loadBenches(): Promise<Map<string, Bench>> {
  const benches = new Map<string, Bench>();
  for (const file of readdirSync(new URL(".", import.meta.url)).sort()) {
    const name = BENCH_FILE.exec(file)?.[1];
    if (name !== undefined) benches.set(name, (await import(`./${file}`)).default);
  }
  return benches;
}

function readArgs(args: readonly string[], known: ReadonlyMap<string, Bench>): Asked {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      output: { type: "string", default: "text" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      "v8-flags": { type: "string", default: "" },
      into: { type: "string", default: "" },
    },
  });
  const unknown = positionals.filter((name) => !known.has(name));
  if (unknown.length > 0) throw new Error(`There is no bench ${unknown.map((name) => `"${name}"`).join(", ")}`);
  if (values.output !== "text" && values.output !== "json") throw new Error("--output must be text or json");
  const rounds = positive(values.rounds, "--rounds") ?? (values.quick ? 1 : ROUNDS);
  if (!Number.isInteger(rounds)) throw new Error("--rounds must be a whole number");
  const names = positionals.length > 0
    ? positionals
    : [...known].flatMap(([name, { onlyByName }]) => onlyByName ? [] : [name]);
  return {
    names: [...new Set(names)],
    json: values.output === "json",
    rounds,
    seconds: positive(values.seconds, "--seconds"),
    quick: values.quick,
    v8Flags: values["v8-flags"],
    into: values.into,
  };
}

function positive(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${what} must be a number above 0, not "${text}"`);
  return value;
}

function listOf(benches: ReadonlyMap<string, Bench>): string {
  return [...benches].map(([name, { summary, onlyByName }]) =>
    `  ${name.padEnd(10)}  ${summary}${onlyByName ? " (takes long: only by its name)" : ""}\n`
  ).join("");
}

function say(text: string): void {
  process.stderr.write(text);
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
