// SPDX-License-Identifier: Apache-2.0
/** What a shell needs to know of each command to complete its words; the scripts for bash, zsh and fish are written from it. */

import type { Choice, Command } from "./command.ts";
import type { Flag } from "./flags.ts";
import { visibleFlags } from "./help.ts";
import { everyCommandFlags } from "./parse.ts";

/** What may follow a flag, or stand as an argument. */
export type Completes =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "directories" | "anything" };

export interface CompletedFlag {
  readonly name: string;
  readonly help: string;
  /** Undefined when it stands alone. */
  readonly value: Completes | undefined;
}

export interface CompletedCommand {
  readonly name: string;
  /** The name and every alias. */
  readonly names: readonly string[];
  /** The names under which it may be called as a program of its own. */
  readonly programs: readonly string[];
  readonly summary: string;
  /** What shells offer in front of a flag's name. */
  readonly dashes: "-" | "--";
  readonly flags: readonly CompletedFlag[];
  /** The words that may come first, each with flags of its own; empty without a selector and without subcommands. */
  readonly choices: readonly CompletedChoice[];
  readonly args: Completes | undefined;
}

export interface CompletedChoice {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  /** How a subcommand's flags are written, which has only its own; undefined where they add to the command's. */
  readonly ownDashes: "-" | "--" | undefined;
}

/** The words of a selector that are not choices; parseInvocation knows them too. */
const SELECTOR_WORDS = [["help", "Show help"], ["version", "Show which build this is"]] as const;

/** Names too general to be claimed for peerctl in someone's shell. */
const GENERAL_NAMES: readonly string[] = ["version", "completion", "demo"];

export function describeCommands(commands: readonly Command[]): CompletedCommand[] {
  return commands.filter((command) => !command.hidden).map((command) => {
    const choices = Object.entries<Choice>(command.selector?.choices ?? {}).map(([name, choice]) => ({
      name,
      summary: choice.summary,
      flags: visibleFlags(choice.flags).map(describeFlag),
      ownDashes: undefined,
    }));
    const words = choices.length === 0
      ? []
      : SELECTOR_WORDS.map(([name, summary]) => ({ name, summary, flags: [], ownDashes: undefined }));
    const subcommands = (command.subcommands ?? []).map((sub) => ({
      name: sub.name.slice(command.name.length + 1),
      summary: sub.summary,
      flags: ownFlags(sub),
      ownDashes: dashesOf(sub),
    }));
    const { positional } = command;
    const names = [command.name, ...command.aliases ?? []];
    return {
      name: command.name,
      names,
      programs: names.filter((name) => !GENERAL_NAMES.includes(name)),
      summary: command.summary,
      dashes: dashesOf(command),
      flags: ownFlags(command),
      choices: [...choices, ...words, ...subcommands],
      args: positional && completes(positional.choices ?? [], positional.name),
    };
  });
}

/** Every flag of a command and its choices that takes a value, each name once. */
export function valuedFlags(command: CompletedCommand): (CompletedFlag & { readonly value: Completes })[] {
  const found = new Map<string, CompletedFlag & { readonly value: Completes }>();
  for (const flag of [...command.flags, ...command.choices.flatMap((choice) => choice.flags)]) {
    if (flag.value !== undefined && !found.has(flag.name)) found.set(flag.name, { ...flag, value: flag.value });
  }
  return [...found.values()];
}

function ownFlags(command: Command): CompletedFlag[] {
  return [...visibleFlags(command.flags), ...Object.values(everyCommandFlags(command))].map(describeFlag);
}

function dashesOf(command: Command): "-" | "--" {
  return command.goStyle ? "-" : "--";
}

function describeFlag(flag: Flag<unknown>): CompletedFlag {
  const value = flag.kind === "bool" ? undefined : completes(flag.choices, flag.placeholder);
  return { name: flag.name, help: flag.help, value };
}

function completes(words: readonly string[], placeholder: string): Completes {
  if (words.length > 0) return { kind: "words", words };
  if (["FILE", "SOCKET", "PATH"].includes(placeholder)) return { kind: "files" };
  return { kind: placeholder === "DIR" ? "directories" : "anything" };
}
