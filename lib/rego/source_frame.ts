// SPDX-License-Identifier: Apache-2.0
/** Shows a place in policy text to a person: file, line, column, the line itself, and a caret below the place. */

import type { RegoLocation } from "./limits.ts";

/** Columns of source shown around the place. */
const MAX_SHOWN = 120;

/** Columns shown before the place when a line is too long to be shown whole. */
const SHOWN_BEFORE = 60;

/** "policy.rego:3:5". */
export function placeText({ file, line, column }: RegoLocation): string {
  return `${file}:${line}:${column}`;
}

/**
 * Returns the line of `source` at `location` and a caret below its column, indented; "" when there is no such line.
 *
 * Control characters, which could move a terminal's cursor, are shown as "?".
 */
export function sourceFrame(source: string, location: RegoLocation): string {
  const text = source.split("\n")[location.line - 1]?.replace(/\r$/, "");
  if (text === undefined) return "";
  const column = Math.min(Math.max(location.column, 1), text.length + 1) - 1;
  const start = text.length <= MAX_SHOWN ? 0 : Math.max(0, Math.min(column - SHOWN_BEFORE, text.length - MAX_SHOWN));
  const shown = printable(text.slice(start, start + MAX_SHOWN));
  const number = String(location.line);
  // Tabs stay tabs, so that the caret stands below the place whatever their width.
  const before = shown.slice(0, column - start).replaceAll(/[^\t]/g, " ");
  return `${number.padStart(5)} | ${shown}\n${" ".repeat(Math.max(5, number.length))} | ${before}^`;
}

/** Replaces what a terminal would obey; tabs stay. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for.
  return text.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "?");
}
