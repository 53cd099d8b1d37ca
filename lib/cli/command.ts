// SPDX-License-Identifier: Apache-2.0
/** What a command is: its table of flags, its words of help, and the function that runs it. */

import type { FlagTable, ValuesOf } from "./flags.ts";
import type { Output } from "./output.ts";

/** Something to copy and run, with what it is for. `command` begins after "peerctl ". */
export interface Example {
  readonly text: string;
  readonly command: string;
}

/** One value of a selector, with the flags that only it has. */
export interface Choice {
  readonly summary: string;
  readonly flags: FlagTable;
}

/** A word that must come first and adds its own flags, as the provider of `peerctl caa <provider>`. */
export interface Selector<C extends Readonly<Record<string, Choice>>> {
  /** What help calls it, in lower case: "provider". */
  readonly name: string;
  readonly choices: C;
}

/** The arguments that are not flags. Without it a command takes none. */
export interface Positional {
  /** What help calls them, in capitals: "SHELL". FILE and DIR make the shell complete paths. */
  readonly name: string;
  readonly help: string;
  readonly min: number;
  readonly max: number;
  readonly choices?: readonly string[];
}

/** The selected choice: a union over the selector's names, each with the values of its own flags. */
export type Chosen<C extends Readonly<Record<string, Choice>>> = {
  [K in keyof C & string]: { readonly name: K; readonly values: ValuesOf<C[K]["flags"]> };
}[keyof C & string];

export interface CommandContext<F extends FlagTable, C extends Readonly<Record<string, Choice>>> {
  readonly values: ValuesOf<F>;
  /** Only there, and then always, when the command has a selector. */
  readonly choice: Chosen<C>;
  /** What is left after the flags. */
  readonly args: readonly string[];
  readonly output: Output;
  /** `--output` as it was given: for commands that have words of their own. */
  readonly outputWord: string;
  /** The environment at start. runDaemon takes NOTIFY_SOCKET out of it. */
  readonly env: Record<string, string>;
  /** How to start peerctl again: put `command, ...flags` behind it. */
  readonly selfCommand: readonly string[];
  /** Loads all commands of the program, for those that write about them. */
  commands(): Promise<Command[]>;
}

export interface CommandSpec<F extends FlagTable, C extends Readonly<Record<string, Choice>>> {
  readonly name: string;
  /** Other names, also as symbolic links to peerctl. */
  readonly aliases?: readonly string[];
  /** One line without a full stop, for the list of commands. */
  readonly summary: string;
  readonly description: string;
  readonly flags: F;
  readonly selector?: Selector<C>;
  /**
   * Commands under this one, each named with this one's name before its own word ("caa status"). The word has to come
   * first; flags and arguments are the subcommand's own.
   */
  readonly subcommands?: readonly Command[];
  readonly positional?: Positional;
  /** Words of `--output` that only this command has, and what help says of them; errors are then text. */
  readonly outputs?: { readonly words: readonly string[]; readonly help: string };
  /** True: the first argument that is not a flag ends the flags, and help writes flags with one dash. */
  readonly goStyle: boolean;
  readonly examples: readonly Example[];
  /** Left out of the list of commands, of completion and of README.md. */
  readonly hidden?: boolean;
  /** Does the work and returns the exit code; throws PeerctlError, or AggregateError with several. */
  run(context: CommandContext<F, C>): Promise<number>;
}

/** A command of any table; its own run() is typed where it is defined. */
export type Command = CommandSpec<FlagTable, Readonly<Record<string, Choice>>>;

/** Flags that every command has, handled before it runs; a table must not use their names. */
export const RESERVED_FLAGS = ["help", "h", "print-config", "output"] as const;

/**
 * Checks the table and hides its types, so that commands of all kinds stand in one list.
 *
 * @throws {TypeError} when two flags share a name or one takes a reserved name, or a subcommand's word is taken.
 */
export function defineCommand<
  const F extends FlagTable,
  const C extends Readonly<Record<string, Choice>> = Record<never, never>,
>(
  spec: CommandSpec<F, C>,
): Command {
  const common = Object.values(spec.flags);
  const tables = spec.selector === undefined
    ? [common]
    : Object.values(spec.selector.choices).map((choice) => [...common, ...Object.values(choice.flags)]);
  for (const table of tables) {
    const names = [...RESERVED_FLAGS, ...table.map((flag) => flag.name)];
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new TypeError(`Cannot define command "${spec.name}": flag "${twice}" is there twice`);
    }
  }
  const words = [...Object.keys(spec.selector?.choices ?? {}), ...(spec.subcommands ?? []).map(({ name }) => name)]
    .map((name) => name.startsWith(`${spec.name} `) ? name.slice(spec.name.length + 1) : name);
  const taken = ["help", "version", ...words].find((word, i, all) => all.indexOf(word) !== i);
  if (taken !== undefined) throw new TypeError(`Cannot define command "${spec.name}": "${taken}" is there twice`);
  return spec as unknown as Command;
}

/** The subcommand that `word`, the first one after the command's name, asks for. */
export function subcommandOf(command: Command, word: string | undefined): Command | undefined {
  return command.subcommands?.find(({ name }) => name === `${command.name} ${word}`);
}

/** Each command with its subcommands behind it. */
export function withSubcommands(commands: readonly Command[]): Command[] {
  return commands.flatMap((command) => [command, ...command.subcommands ?? []]);
}
