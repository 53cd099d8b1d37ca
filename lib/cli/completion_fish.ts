// SPDX-License-Identifier: Apache-2.0
/** Writes the completion script for fish. */

import type { CompletedCommand, CompletedFlag, Completes } from "./completion_model.ts";

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const lines = [
    "# Completion of peerctl for fish. Load it with: peerctl completion fish | source",
    "complete -c peerctl -f",
    ...commands.map((command) =>
      complete("peerctl", "__fish_use_subcommand", `-a ${command.name} -d ${quoted(command.summary)}`)
    ),
    complete("peerctl", "__fish_use_subcommand", "-a help -d 'Show help'"),
    complete(
      "peerctl",
      "__fish_seen_subcommand_from help",
      `-a ${quoted(commands.map((each) => each.name).join(" "))}`,
    ),
  ];
  for (const command of commands) {
    lines.push(...commandLines("peerctl", `__fish_seen_subcommand_from ${command.names.join(" ")}`, command));
    for (const name of command.programs) {
      lines.push(`complete -c ${name} -f`, ...commandLines(name, "true", command));
    }
  }
  return `${lines.join("\n")}\n`;
}

function commandLines(program: string, condition: string, command: CompletedCommand): string[] {
  const chosen = command.choices.map((choice) => choice.name).join(" ");
  const subcommands = command.choices.filter(({ ownDashes }) => ownDashes !== undefined).map(({ name }) => name);
  const without = subcommands.length === 0 ? "" : `; and not __fish_seen_subcommand_from ${subcommands.join(" ")}`;
  return [
    ...command.flags.map((flag) => complete(program, `${condition}${without}`, flagWords(flag, command.dashes))),
    ...command.choices.map((choice) =>
      complete(
        program,
        `${condition}; and not __fish_seen_subcommand_from ${chosen}`,
        `-a ${choice.name} -d ${quoted(choice.summary)}`,
      )
    ),
    ...command.choices.flatMap((choice) =>
      choice.flags.map((flag) =>
        complete(
          program,
          `${condition}; and __fish_seen_subcommand_from ${choice.name}`,
          flagWords(flag, choice.ownDashes ?? command.dashes),
        )
      )
    ),
    ...command.args === undefined ? [] : [complete(program, condition, values(command.args))],
  ];
}

function flagWords(flag: CompletedFlag, dashes: "-" | "--"): string {
  const name = dashes === "-" ? `-o ${flag.name} -l ${flag.name}` : `-l ${flag.name}`;
  const value = flag.value === undefined ? "" : ` -r ${values(flag.value)}`;
  return `${name}${value} -d ${quoted(flag.help)}`;
}

function values(what: Completes): string {
  switch (what.kind) {
    case "words":
      return `-f -a ${quoted(what.words.join(" "))}`;
    case "files":
      return "-F";
    case "directories":
      return "-f -a '(__fish_complete_directories (commandline -ct))'";
    case "anything":
      return "-f";
  }
}

function complete(program: string, condition: string, words: string): string {
  return `complete -c ${program} -n ${quoted(condition)} ${words}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
