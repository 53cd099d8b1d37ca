// SPDX-License-Identifier: Apache-2.0
/** Writes the flag tables of README.md from the commands' own tables, or, with --check, fails when they differ. */

import { type Command, withSubcommands } from "../cli/command.ts";
import type { Flag, FlagTable } from "../cli/flags.ts";
import { visibleFlags } from "../cli/help.ts";
import { loadCommands } from "../cli/program.ts";
import { dashed } from "../cli/scan.ts";
import { loaders } from "../../main.ts";
import { formatMarkdown } from "./written_page.ts";

const ROOT = new URL("../../", import.meta.url);

/** A table stands between two comments; the first names a command, and a choice of it if it has any. */
const PLACES = /(<!-- flags of ([a-z -]+) -->\n)[^]*?(<!-- end of flags -->)/g;

/** Returns `text` with every flag table as the commands have it now, formatted as `deno fmt` does. */
export async function withFlagTables(text: string): Promise<string> {
  const tables = flagTables((await loadCommands(loaders)).filter((command) => !command.hidden));
  const used = new Set<string>();
  const filled = text.replace(PLACES, (_all, begin: string, title: string, end: string) => {
    const table = tables.get(title);
    if (table === undefined) throw new Error(`README.md has a place for the flags of "${title}", which does not exist`);
    used.add(title);
    return `${begin}\n${table}\n${end}`;
  });
  const missing = [...tables.keys()].filter((title) => !used.has(title));
  if (missing.length > 0) throw new Error(`README.md has no place for the flags of: ${missing.join(", ")}`);
  return await formatMarkdown(filled);
}

/** Tables by title ("caa", "caa process"); a command without flags has none. */
function flagTables(commands: readonly Command[]): Map<string, string> {
  const tables = new Map<string, string>();
  const add = (title: string, flags: FlagTable, goStyle: boolean) => {
    const rows = visibleFlags(flags).map((flag) => tableRow(flag, goStyle));
    if (rows.length > 0) {
      tables.set(title, ["| Flag | Environment | Default | Meaning |", "|---|---|---|---|", ...rows, ""].join("\n"));
    }
  };
  for (const command of withSubcommands(commands)) {
    add(command.name, command.flags, command.goStyle);
    for (const [name, choice] of Object.entries(command.selector?.choices ?? {})) {
      add(`${command.name} ${name}`, choice.flags, command.goStyle);
    }
  }
  return tables;
}

function tableRow(flag: Flag<unknown>, goStyle: boolean): string {
  const help = flag.required
    ? `${flag.help}; required`
    : flag.kind === "list"
    ? `${flag.help}; may be repeated`
    : flag.help;
  return `| ${code(dashed(flag.name, goStyle))} | ${code(flag.env ?? "")} | ${code(flag.defaultText)} | ${
    cell(help)
  } |`;
}

function code(text: string): string {
  return text === "" ? "" : `\`${cell(text)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

if (import.meta.main) {
  const file = new URL("README.md", ROOT);
  const text = await Deno.readTextFile(file);
  const wanted = await withFlagTables(text);
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(file, wanted);
  else if (wanted !== text) {
    console.error('README.md differs from the commands: run "deno task docs"');
    Deno.exitCode = 1;
  }
}
