// SPDX-License-Identifier: Apache-2.0
/** Shows the values a command would use and where each comes from, with secrets masked. */

import type { Command } from "./command.ts";
import type { Output } from "./output.ts";
import type { Invocation, Setting } from "./parse.ts";

/** Stands for a secret that is set; its length says nothing. */
const MASK = "********";

/**
 * Prints the settings as a table, or as `{ command, choice?, values: { flag: { value, source, env? } } }`.
 *
 * Durations stay in Go's form, numbers, booleans and lists have their JSON type. A secret that is not set is "".
 */
export function printConfig(command: Command, invocation: Invocation, output: Output): void {
  const { settings, choice } = invocation;
  if (output.format === "text") {
    const rows = settings.map((
      setting,
    ) => [setting.flag.name, JSON.stringify(shownValue(setting)), shownSource(setting)]);
    output.table([["FLAG", "VALUE", "FROM"], ...rows]);
    return;
  }
  output.json({
    command: command.name,
    ...(choice === undefined ? {} : { choice: choice.name }),
    values: Object.fromEntries(settings.map((setting) => [setting.flag.name, {
      value: shownValue(setting),
      source: setting.source,
      ...(setting.source === "env" ? { env: setting.flag.env } : {}),
    }])),
  });
}

function shownValue({ flag, source, texts }: Setting): unknown {
  const isSet = texts.some((text) => text !== "");
  if (flag.secret) return isSet ? MASK : "";
  if (flag.kind === "string" || flag.kind === "choice" || flag.kind === "duration") return texts.at(-1) ?? "";
  if (source !== "default") return flag.convert(texts);
  // A flag whose default depends on others has no value of its own, but a text for it.
  return flag.defaultValue ?? flag.convert(texts);
}

function shownSource({ flag, source }: Setting): string {
  return source === "env" ? `env ${flag.env}` : source;
}
