// SPDX-License-Identifier: Apache-2.0
/** Chooses the command of one invocation, runs it, and turns whatever comes of it into printed lines and an exit code. */

import { PeerctlError } from "../errors.ts";
import { type Command, subcommandOf } from "./command.ts";
import { ExitCode, exitCodeFor } from "./exit_code.ts";
import { createOutput, type OutputFormat } from "./output.ts";
import { parseInvocation } from "./parse.ts";
import { printConfig } from "./print_config.ts";
import { suggest } from "./suggest.ts";

/** Every name a command answers to, with the import of its file; aliases share their loader. */
export type CommandLoaders = Readonly<Record<string, () => Promise<{ readonly default: Command }>>>;

export interface ProgramOptions {
  readonly loaders: CommandLoaders;
  /** The name peerctl was called by: a command's name or alias runs that command, any other is peerctl itself. */
  readonly calledAs: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
  readonly selfCommand: readonly string[];
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** Loads each command once, in the order of the table. */
export async function loadCommands(loaders: CommandLoaders): Promise<Command[]> {
  const modules = await Promise.all([...new Set(Object.values(loaders))].map((load) => load()));
  return modules.map((module) => module.default);
}

/** Runs one invocation and returns its exit code; never throws. */
export async function runProgram(o: ProgramOptions): Promise<number> {
  const isAlias = Object.hasOwn(o.loaders, o.calledAs);
  const [word, ...rest] = isAlias ? [o.calledAs, ...o.args] : o.args;
  try {
    if (word === undefined) {
      o.stderr(`${await listOfCommands(o)}\n`);
      return ExitCode.usage;
    }
    if (["help", "-h", "-help", "--help"].includes(word)) return await runHelp(o, rest);
    if (["-version", "--version"].includes(word)) return await runCommand(o, "version", rest);
    if (!Object.hasOwn(o.loaders, word)) throw unknownCommand(o.loaders, word);
    return await runCommand(o, word, rest);
  } catch (error) {
    return report(o, "peerctl", askedFormat(o.args), error);
  }
}

// Help is loaded when it is asked for: cac, which lays it out, takes longer to load than most commands to run.

async function listOfCommands(o: ProgramOptions): Promise<string> {
  const { programHelp } = await import("./help.ts");
  return programHelp(await loadCommands(o.loaders));
}

async function helpOf(command: Command): Promise<string> {
  const { commandHelp } = await import("./help.ts");
  return commandHelp(command);
}

async function runHelp(o: ProgramOptions, args: readonly string[]): Promise<number> {
  const [word, second] = args.filter((each) => !each.startsWith("-"));
  if (word === undefined) {
    o.stdout(`${await listOfCommands(o)}\n`);
    return ExitCode.done;
  }
  if (!Object.hasOwn(o.loaders, word)) throw unknownCommand(o.loaders, word);
  const command = (await o.loaders[word]!()).default;
  o.stdout(`${await helpOf(subcommandOf(command, second) ?? command)}\n`);
  return ExitCode.done;
}

async function runCommand(o: ProgramOptions, name: string, args: readonly string[]): Promise<number> {
  const command = (await o.loaders[name]!()).default;
  const sub = subcommandOf(command, args[0]);
  return sub === undefined ? await runThis(o, command, args) : await runThis(o, sub, args.slice(1));
}

async function runThis(o: ProgramOptions, command: Command, args: readonly string[]): Promise<number> {
  const title = `peerctl ${command.name}`;
  const invocation = parseInvocation(command, args, o.env);
  switch (invocation.wants) {
    case "help":
      o.stdout(`${await helpOf(command)}\n`);
      return ExitCode.done;
    case "missing-choice":
      o.stderr(`${await helpOf(command)}\n`);
      return ExitCode.usage;
    case "version":
      return await runCommand(o, "version", args.slice(1));
  }
  if (invocation.problems.length > 0) {
    return report(o, title, invocation.format, new AggregateError(invocation.problems));
  }
  const output = createOutput({
    command: title,
    format: invocation.format,
    stdout: o.stdout,
    stderr: o.stderr,
    debug: isDebug(o.env),
  });
  if (invocation.wants === "print-config") {
    printConfig(command, invocation, output);
    return ExitCode.done;
  }
  try {
    return await command.run({
      values: invocation.values,
      choice: invocation.choice!,
      args: invocation.args,
      output,
      outputWord: invocation.outputWord,
      env: o.env,
      selfCommand: o.selfCommand,
      commands: () => loadCommands(o.loaders),
    });
  } catch (error) {
    output.error(error);
    return exitCodeFor(error);
  }
}

function report(o: ProgramOptions, command: string, format: OutputFormat, error: unknown): number {
  createOutput({ command, format, stdout: o.stdout, stderr: o.stderr, debug: isDebug(o.env) }).error(error);
  return exitCodeFor(error);
}

/** The format asked for when there is no command whose flags could be read. */
function askedFormat(args: readonly string[]): OutputFormat {
  return /(^| )--?output[= ]json( |$)/.test(args.join(" ")) ? "json" : "text";
}

function isDebug(env: Readonly<Record<string, string>>): boolean {
  return env.PEERCTL_DEBUG === "1";
}

function unknownCommand(loaders: CommandLoaders, word: string): PeerctlError {
  const near = suggest(word, Object.keys(loaders));
  return new PeerctlError("usage", `Cannot run ${JSON.stringify(word.slice(0, 64))}: there is no such command`, {
    hint: near === undefined ? 'run "peerctl help" for the list of commands' : `did you mean "peerctl ${near}"?`,
  });
}
