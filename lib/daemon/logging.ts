// SPDX-License-Identifier: Apache-2.0
/** Sets up the log of a process: text on a terminal, JSON lines otherwise, or a file that stays small. */

import { configure, getLogger, type Logger, type LogRecord, type Sink } from "@logtape/logtape";
import { choiceFlag, stringFlag } from "../cli/flags.ts";
import { createWriter } from "../cli/start.ts";
import { openLogFile } from "./log_file.ts";
import { formatColoured, formatJson, formatText } from "./log_format.ts";

/** Size at which a log file is put aside: five megabytes, so that a node with a hundred relays keeps under 1 GiB. */
const MAX_LOG_BYTES = 5 << 20;

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "auto" | "text" | "json";

/** The flags of every command that logs; spread them into its table. */
export const logFlags = {
  logLevel: choiceFlag("log-level", {
    env: "PEERCTL_LOG_LEVEL",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    help: "least important messages to log",
  }),
  logFormat: choiceFlag("log-format", {
    env: "PEERCTL_LOG_FORMAT",
    choices: ["auto", "text", "json"],
    default: "auto",
    help: "form of the log; auto is text on a terminal and JSON lines elsewhere",
  }),
  logFile: stringFlag("log-file", {
    placeholder: "FILE",
    help: "write the log to this file instead of stderr; it is kept small, with one older file beside it",
  }),
};

export interface LoggingOptions {
  readonly command: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Log here instead of stderr; when it exceeds `maxBytes` (default 5 MiB) it becomes `path.1` and a new one begins. */
  readonly file?: { readonly path: string; readonly maxBytes?: number };
}

/**
 * Configures the process's log and returns the command's logger. Whoever configures last wins.
 *
 * @throws {PeerctlError} kind "config" when the log file cannot be opened.
 */
export async function configureLogging(o: LoggingOptions): Promise<Logger> {
  const isTerminal = o.file === undefined && Deno.stderr.isTerminal();
  const format = o.format === "auto" ? (isTerminal ? "text" : "json") : o.format;
  const formatRecord = format === "json" ? formatJson : isTerminal && !Deno.noColor ? formatColoured : formatText;
  const write = o.file === undefined
    ? { write: createWriter(Deno.stderr), [Symbol.dispose]() {} }
    : openLogFile(o.file.path, o.file.maxBytes ?? MAX_LOG_BYTES);
  const sink: Sink & Disposable = Object.assign((record: LogRecord) => write.write(`${formatRecord(record)}\n`), {
    [Symbol.dispose]: () => write[Symbol.dispose](),
  });
  await configure({
    reset: true,
    sinks: { main: sink },
    loggers: [
      { category: ["peerctl"], sinks: ["main"], lowestLevel: o.level === "warn" ? "warning" : o.level },
      { category: ["logtape", "meta"], sinks: ["main"], lowestLevel: "warning" },
    ],
  });
  return getLogger(["peerctl", o.command]);
}
