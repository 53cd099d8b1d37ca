// SPDX-License-Identifier: Apache-2.0
/** Writes the help of peerctl and of each command, from the commands' tables, laid out by cac. */

import { type CAC, cac } from "cac";
import type { Command } from "./command.ts";
import type { Flag, FlagTable } from "./flags.ts";
import { alignColumns } from "./output.ts";
import { everyCommandFlags } from "./parse.ts";
import { dashed } from "./scan.ts";

/** Columns of help text; a terminal has at least 80. */
const WIDTH = 80;

interface Section {
  title?: string;
  body: string;
}

/** Help for `peerctl` itself: every command that is not hidden, with its summary. */
export function programHelp(commands: readonly Command[]): string {
  const program = cac("peerctl").usage("<command> [flags]");
  for (const command of commands.filter((each) => !each.hidden)) {
    program.command(command.name, command.summary);
    const first = command.examples[0];
    if (first !== undefined) program.example(exampleText(first.text, first.command));
  }
  return layOut(program, (sections) => [
    { body: wrap("Peer pods: confidential pod VMs beside a Kubernetes worker node.", 0) },
    ...sections.slice(1).filter((each) => !each.title?.startsWith("For more info")),
    {
      title: "More",
      body: "  peerctl help <command>      flags and examples of one command\n  peerctl <command> --help    the same",
    },
  ]);
}

/** Help for one command: description, arguments, every flag with its environment variable and default, examples. */
export function commandHelp(command: Command): string {
  const program = cac("peerctl");
  const entry = program.command(command.name, command.summary).usage(usageLine(command));
  for (const example of command.examples) entry.example(exampleText(example.text, example.command));
  program.matchedCommand = entry;
  const { selector, positional } = command;
  const between: Section[] = [];
  if (command.aliases?.length) between.push({ title: "Also called", body: `  ${command.aliases.join(", ")}` });
  if (selector !== undefined) {
    const rows = Object.entries(selector.choices).map(([name, choice]) => [`  ${name}`, choice.summary]);
    between.push({ title: capitalised(selector.name), body: alignColumns(rows).trimEnd() });
  }
  if (command.subcommands !== undefined) {
    const rows = command.subcommands.map(({ name, summary }) => [`  ${name}`, summary]);
    between.push({ title: "Commands", body: alignColumns(rows).trimEnd() });
  }
  if (positional !== undefined) between.push({ title: "Arguments", body: entryText(positional.name, positional.help) });
  between.push({ title: "Flags", body: flagsText(command.flags, command.goStyle) });
  for (const [name, choice] of Object.entries(selector?.choices ?? {})) {
    const body = flagsText(choice.flags, command.goStyle);
    if (body !== "") between.push({ title: `Flags of ${selector!.name} ${name}`, body });
  }
  between.push({ title: "Flags of every command", body: flagsText(everyCommandFlags(command), command.goStyle) });
  return layOut(program, ([, usage, ...rest]) => [
    { body: wrap(command.description, 0) },
    usage!,
    ...between.filter((section) => section.body !== ""),
    ...rest,
  ]);
}

/** Describes where a flag's value comes from besides the command line: "env SOCKET; default /run/x". */
export function flagNotes(flag: Flag<unknown>): string[] {
  const notes: string[] = [];
  if (flag.required) notes.push("required");
  if (flag.kind === "list") notes.push("may be repeated");
  if (flag.env !== undefined) notes.push(`env ${flag.env}`);
  if (flag.defaultText !== "" && flag.defaultText !== "false") notes.push(`default ${flag.defaultText}`);
  return notes;
}

/** The flags of a table that can be given. */
export function visibleFlags(table: FlagTable): Flag<unknown>[] {
  return Object.values(table).filter((flag) => flag.kind !== "refused");
}

export function usageLine(command: Command): string {
  const words = [command.name];
  if (command.selector !== undefined) words.push(`<${command.selector.name}>`);
  words.push("[flags]");
  const { positional } = command;
  if (positional !== undefined) words.push(positional.min > 0 ? `<${positional.name}>` : `[${positional.name}]`);
  return words.join(" ");
}

function flagsText(table: FlagTable, goStyle: boolean): string {
  return visibleFlags(table).map((flag) => {
    const notes = flagNotes(flag);
    const text = notes.length === 0 ? flag.help : `${flag.help} (${notes.join("; ")})`;
    return entryText(`${dashed(flag.name, goStyle)} ${flag.placeholder}`.trim(), text);
  }).join("\n");
}

function entryText(head: string, text: string): string {
  return `  ${head}\n${wrap(text, 6)}`;
}

function exampleText(text: string, command: string): string {
  return `${wrap(text, 2)}:\n    $ peerctl ${command}`;
}

function capitalised(word: string): string {
  return `${word[0]!.toUpperCase()}${word.slice(1)}s`;
}

/** Breaks `text` at spaces; paragraphs (an empty line between) stay apart. */
function wrap(text: string, indent: number): string {
  const paragraphs = text.trim().split(/\n\s*\n/).map((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.split(/\s+/)) {
      const last = lines.at(-1);
      if (last !== undefined && indent + last.length + 1 + word.length <= WIDTH) {
        lines[lines.length - 1] = `${last} ${word}`;
      } else lines.push(word);
    }
    return lines.map((line) => " ".repeat(indent) + line).join("\n");
  });
  return paragraphs.join("\n\n");
}

/**
 * Lets cac build its sections, changes them, and returns the text instead of printing it.
 *
 * cac hands its sections to a callback and then prints with console.info, whatever the callback does; what it would
 * print is caught for the length of that one synchronous call, so that Output stays the only printer.
 */
function layOut(program: CAC, change: (sections: Section[]) => Section[]): string {
  let text = "";
  program.globalCommand.helpCallback = (sections) => change(sections);
  const print = console.info;
  console.info = (printed: string) => void (text = printed);
  try {
    program.outputHelp();
  } finally {
    console.info = print;
  }
  return text;
}
