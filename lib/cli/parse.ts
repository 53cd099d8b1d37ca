// SPDX-License-Identifier: Apache-2.0
/** Turns the arguments and environment of one invocation into a command's values, and collects everything wrong with them. */

import { PeerctlError } from "../errors.ts";
import { type Command, subcommandOf } from "./command.ts";
import { boolFlag, choiceFlag, type Flag, type FlagTable, parseBool } from "./flags.ts";
import type { OutputFormat } from "./output.ts";
import { dashed, scanArguments, type Scanned } from "./scan.ts";
import { suggest } from "./suggest.ts";

/** Where a value came from. */
export type Source = "flag" | "env" | "default";

/** One flag with what this invocation makes of it. */
export interface Setting {
  readonly flag: Flag<unknown>;
  readonly source: Source;
  /** As given, or as the default is written. */
  readonly texts: readonly string[];
}

export interface Invocation {
  /** `missing-choice`: a selector was given nothing at all. */
  readonly wants: "run" | "help" | "version" | "print-config" | "missing-choice";
  readonly format: OutputFormat;
  /** `--output` as it was given. */
  readonly outputWord: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly choice: { readonly name: string; readonly values: Readonly<Record<string, unknown>> } | undefined;
  readonly args: readonly string[];
  readonly settings: readonly Setting[];
  /** If there is one, nothing else here may be used but `wants` and `format`. */
  readonly problems: readonly PeerctlError[];
}

/** The flags that every command has; shown in its help, not in its values. */
const commonFlags = {
  output: choiceFlag("output", {
    choices: ["text", "json", "table"],
    default: "text",
    help: "how results and errors are printed; table is another word for text",
  }),
  printConfig: boolFlag("print-config", {
    help: "print the values the command would use and where each comes from, secrets masked, and stop",
  }),
  help: boolFlag("help", { help: "print this help and stop (also -h)" }),
} satisfies FlagTable;

/** The flags that every command has, as `command` has them. */
export function everyCommandFlags({ outputs }: Pick<Command, "outputs">) {
  if (outputs === undefined) return commonFlags;
  const { help, choices } = commonFlags.output;
  const output = choiceFlag<string>("output", {
    choices: [...choices, ...outputs.words],
    default: "text",
    help: `${help}; ${outputs.help}`,
  });
  return { ...commonFlags, output };
}

/** Reads `args` (without the command's name) for `command`. */
export function parseInvocation(
  command: Command,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Invocation {
  const selected = selectChoice(command, args);
  const tables = selected.tables;
  const flags = tables.flatMap((table) => Object.values(table));
  const always = everyCommandFlags(command);
  const scanned = scanArguments(selected.rest, {
    flags: [...flags, ...Object.values(always), { ...always.help, name: "h" }]
      .map(({ name, kind }) => ({ name, takes: kind === "bool" ? "equals" : kind === "refused" ? "maybe" : "word" })),
    goStyle: command.goStyle,
  });
  const problems = [...selected.problems, ...scanned.problems];
  const read = (table: FlagTable) => readTable(table, { scanned, env, goStyle: command.goStyle, problems });
  const common = read(always);
  // Without a choice nothing can be missing from a choice's flags.
  const isChosen = command.selector === undefined || selected.name !== undefined;
  const own = tables.map((table) => read(isChosen ? table : withoutRequired(table)));
  checkPositional(command, scanned.rest, problems);
  const isHelp = common.values.help === true || (scanned.given.get("h") ?? []).some((text) => parseBool(text) === true);
  return {
    wants: isHelp ? "help" : selected.wants ?? (common.values.printConfig === true ? "print-config" : "run"),
    format: common.values.output === "json" ? "json" : "text",
    outputWord: String(common.values.output),
    values: own[0]!.values,
    choice: selected.name === undefined ? undefined : { name: selected.name, values: own[1]!.values },
    args: scanned.rest,
    settings: own.flatMap((table) => table.settings),
    problems,
  };
}

interface Selected {
  readonly name?: string;
  readonly tables: readonly FlagTable[];
  readonly rest: readonly string[];
  readonly wants?: "help" | "version" | "missing-choice";
  readonly problems: readonly PeerctlError[];
}

/** Takes the selector's word from the front. With an unknown one all choices' flags count as known: one mistake, one problem. */
function selectChoice(command: Command, args: readonly string[]): Selected {
  const { name, flags, selector, subcommands = [] } = command;
  if (selector === undefined) return { tables: [flags], rest: args, problems: [] };
  const [word, ...rest] = args;
  const choice = word !== undefined && Object.hasOwn(selector.choices, word) ? selector.choices[word] : undefined;
  if (choice !== undefined) return { name: word!, tables: [flags, choice.flags], rest, problems: [] };
  if (word === undefined) return { tables: [flags], rest, wants: "missing-choice", problems: [] };
  if (word === "help" || word === "version") return { tables: [flags], rest, wants: word, problems: [] };
  const tables = [flags, ...Object.values(selector.choices).map((each) => each.flags)];
  const known = Object.keys(selector.choices);
  const near = suggest(word, [...known, ...subcommands.map((sub) => sub.name.slice(name.length + 1))]);
  const problem = word.startsWith("-")
    ? new PeerctlError("usage", `Cannot run ${name}: no ${selector.name} before the first flag`, {
      hint: `write "peerctl ${name} ${known[0] ?? selector.name} ${word.split("=")[0]} ..."; known: ${
        known.join(", ")
      }`,
    })
    : new PeerctlError(
      "usage",
      `Cannot run ${name} with ${selector.name} ${JSON.stringify(word.slice(0, 64))}: it is not known`,
      {
        hint: near === undefined ? `known: ${known.join(", ")}` : `did you mean ${near}? known: ${known.join(", ")}`,
      },
    );
  return { tables, rest: word.startsWith("-") ? args : rest, problems: [problem] };
}

function withoutRequired(table: FlagTable): FlagTable {
  return Object.fromEntries(Object.entries(table).map(([key, flag]) => [key, { ...flag, required: false }]));
}

interface ReadOptions {
  readonly scanned: Scanned;
  readonly env: Readonly<Record<string, string>>;
  readonly goStyle: boolean;
  readonly problems: PeerctlError[];
}

function readTable(table: FlagTable, o: ReadOptions): { values: Record<string, unknown>; settings: Setting[] } {
  const values: Record<string, unknown> = {};
  const settings: Setting[] = [];
  for (const [key, flag] of Object.entries(table)) {
    const given = o.scanned.given.get(flag.name);
    const fromEnv = flag.env === undefined ? undefined : o.env[flag.env] || undefined;
    const texts = given ?? (fromEnv === undefined ? undefined : [fromEnv]);
    const source = given !== undefined ? "flag" : fromEnv !== undefined ? "env" : "default";
    if (texts === undefined && flag.required) {
      o.problems.push(new PeerctlError("usage", `Cannot run without ${dashed(flag.name, o.goStyle)}: ${flag.help}`));
    }
    try {
      values[key] = texts === undefined ? flag.defaultValue : flag.convert(texts);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof PeerctlError)) throw error;
      o.problems.push(
        new PeerctlError("usage", `Cannot use ${named(flag, source, texts ?? [], o.goStyle)}: ${error.message}`),
      );
    }
    if (flag.kind !== "refused") settings.push({ flag, source, texts: texts ?? [flag.defaultText] });
  }
  return { values, settings };
}

/** Longest value repeated in an error, in UTF-16 units. */
const MAX_QUOTED = 100;

function named(flag: Flag<unknown>, source: Source, texts: readonly string[], goStyle: boolean): string {
  const text = texts.at(-1) ?? "";
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}...` : text;
  const hidden = flag.secret || flag.kind === "refused";
  if (source === "env") return hidden ? `the environment variable ${flag.env}` : `${flag.env}=${JSON.stringify(shown)}`;
  return hidden ? dashed(flag.name, goStyle) : `${dashed(flag.name, goStyle)} ${JSON.stringify(shown)}`;
}

function checkPositional(command: Command, args: readonly string[], problems: PeerctlError[]): void {
  const { name, min, max, choices } = command.positional ?? { name: "", min: 0, max: 0, choices: undefined };
  if (args.length > max) {
    const first = JSON.stringify(args[max]!.slice(0, MAX_QUOTED));
    const words = (command.subcommands ?? []).map((sub) => sub.name.slice(command.name.length + 1));
    const near = subcommandOf(command, args[max]) ? args[max] : suggest(args[max]!, words);
    problems.push(
      new PeerctlError(
        "usage",
        `Cannot use argument ${first}: ${
          max === 0 ? "there are no arguments besides flags" : `at most ${max} can be given`
        }`,
        { ...(near === undefined ? {} : { hint: `did you mean "peerctl ${command.name} ${near} [flags]"?` }) },
      ),
    );
  }
  // With flags in doubt the arguments are in doubt too: what looks missing may have gone to a flag.
  if (args.length < min && problems.length === 0) {
    problems.push(new PeerctlError("usage", `Cannot run without ${name}: ${command.positional!.help}`));
  }
  for (const arg of choices === undefined ? [] : args.slice(0, max)) {
    if (choices!.includes(arg)) continue;
    const near = suggest(arg, choices!);
    problems.push(
      new PeerctlError(
        "usage",
        `Cannot use ${name} ${JSON.stringify(arg.slice(0, MAX_QUOTED))}: must be one of ${choices!.join(", ")}`,
        {
          ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
        },
      ),
    );
  }
}
