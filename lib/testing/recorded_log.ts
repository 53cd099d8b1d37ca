// SPDX-License-Identifier: Apache-2.0
/** A logger that keeps what it is given, for tests that look at a room's log. */

import type { Logger } from "@logtape/logtape";

export interface LogRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Only the four levels with a constant message and fields, as all code here logs. */
export function recordLog(): { readonly log: Logger; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  const at = (level: LogRecord["level"]) => (message: string, fields: LogRecord["fields"] = {}) => {
    records.push({ level, message, fields });
  };
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { log: log as unknown as Logger, records };
}
