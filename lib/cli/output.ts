// SPDX-License-Identifier: Apache-2.0
/** The only printer: results on stdout, errors and hints on stderr, as text or as JSON. */

import { PeerctlError } from "../errors.ts";

export type OutputFormat = "text" | "json";

export interface Output {
  readonly format: OutputFormat;
  /** Prints `text` and a newline on stdout. */
  result(text: string): void;
  /** Prints one value as indented JSON on stdout. */
  json(value: unknown): void;
  /** Prints rows in aligned columns on stdout, each on one line; the first row may be the heading. */
  table(rows: readonly (readonly string[])[]): void;
  /** Prints one line on stderr for a person to read: `peerctl certgen: wrote ca.crt`. Not for results, not for logs. */
  note(text: string): void;
  /** Prints an error, each problem of an AggregateError for itself, and its hint, on stderr. */
  error(error: unknown): void;
}

export interface OutputOptions {
  /** What stands before the colon: `peerctl apf`. */
  readonly command: string;
  readonly format: OutputFormat;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Adds stack traces to errors. */
  readonly debug: boolean;
}

export function createOutput(o: OutputOptions): Output {
  return {
    format: o.format,
    result: (text) => o.stdout(`${text}\n`),
    json: (value) => o.stdout(`${JSON.stringify(value, null, 2)}\n`),
    table: (rows) => o.stdout(alignColumns(rows.map((row) => row.map(oneLine)))),
    note: (text) => o.stderr(`${o.command}: ${text}\n`),
    error(error) {
      const problems = error instanceof AggregateError ? error.errors : [error];
      o.stderr(
        o.format === "json" ? jsonErrors(o.command, problems, o.debug) : textErrors(o.command, problems, o.debug),
      );
    },
  };
}

/** Joins the messages of an error and its causes with ": ", leaving out a cause that its error already quotes. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let e = error, depth = 0; e !== undefined && depth < 10; depth++) {
    const message = e instanceof Error ? e.message || e.name : String(e);
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    e = e instanceof Error ? e.cause : undefined;
  }
  return parts.join(": ");
}

/** Lays rows out in columns two spaces apart, without spaces at the end of a line. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd() + "\n").join("");
}

function textErrors(command: string, problems: readonly unknown[], debug: boolean): string {
  let text = "";
  const hints = new Set<string>();
  for (const problem of problems) {
    text += `${command}: error: ${oneLine(errorText(problem))}\n`;
    const hint = problem instanceof PeerctlError ? problem.hint : undefined;
    if (hint !== undefined && !hints.has(hint)) text += `${command}: hint: ${hint}\n`;
    if (hint !== undefined) hints.add(hint);
    if (debug && problem instanceof Error) text += `${problem.stack}\n`;
  }
  return text;
}

function jsonErrors(command: string, problems: readonly unknown[], debug: boolean): string {
  const errors = problems.map((problem) => ({
    kind: problem instanceof PeerctlError ? problem.kind : "failed",
    message: errorText(problem),
    ...(problem instanceof PeerctlError && problem.hint !== undefined ? { hint: problem.hint } : {}),
    ...(debug && problem instanceof Error ? { stack: problem.stack } : {}),
  }));
  return `${JSON.stringify({ command, errors })}\n`;
}

/** Keeps a text on its line: a name or a peer's text may hold line breaks and terminal control characters. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for.
  return text.replace(/\s*[\r\n]+\s*/g, " ").replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
