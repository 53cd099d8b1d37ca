// SPDX-License-Identifier: Apache-2.0
/** Writes one log record as one line, for a person or as JSON. */

import type { LogRecord } from "@logtape/logtape";
import { errorText } from "../cli/output.ts";

/** Keys of a JSON line that are not fields of the record. */
const OWN_KEYS: readonly string[] = ["time", "level", "logger", "message"];

/** ANSI colour of each level; the rest of a line has none. */
const COLOURS: Readonly<Record<string, number>> = { debug: 90, info: 32, warn: 33, error: 31 };

/** `2026-11-21T09:02:20.123Z info  Message key=value other="two words"` */
export function formatText(record: LogRecord): string {
  return textLine(record, levelName(record).padEnd(5));
}

/** As formatText, with the level in colour. */
export function formatColoured(record: LogRecord): string {
  const level = levelName(record);
  return textLine(record, `\u001b[${COLOURS[level] ?? 0}m${level.padEnd(5)}\u001b[0m`);
}

/** `{"time":...,"level":...,"logger":...,"message":...,<fields>}`; a field named like one of these gets a "_" in front. */
export function formatJson(record: LogRecord): string {
  const line: Record<string, unknown> = {
    time: timeOf(record),
    level: levelName(record),
    logger: record.category.join("."),
    message: messageOf(record),
  };
  for (const [key, value] of Object.entries(record.properties)) {
    line[OWN_KEYS.includes(key) ? `_${key}` : key] = plain(value);
  }
  return JSON.stringify(line);
}

function textLine(record: LogRecord, level: string): string {
  const fields = Object.entries(record.properties).filter(([, value]) => value !== undefined);
  const words = fields.map(([key, value]) => `${key}=${textValue(plain(value))}`);
  return [timeOf(record), level, messageOf(record), ...words].join(" ");
}

/** A value is quoted unless it is one plain word, so that a line stays a line and a field a field. */
function textValue(value: unknown): string {
  if (typeof value === "string") return /^[\w./:@%+,-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

/** Makes a value fit for JSON: errors become their text, bytes their number, bigints digits. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return errorText(value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
  }
  return value;
}

function messageOf(record: LogRecord): string {
  return typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
}

function levelName(record: LogRecord): string {
  return record.level === "warning" ? "warn" : record.level;
}

function timeOf(record: LogRecord): string {
  return new Date(record.timestamp).toISOString();
}
