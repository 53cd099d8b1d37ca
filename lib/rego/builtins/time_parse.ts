// SPDX-License-Identifier: Apache-2.0
/** Reads times by Go's layouts, with the same leniency: short hours, seconds with a fraction, zone abbreviations. */

import { builtinError } from "./builtin.ts";
import { quote } from "./text.ts";
import { type Chunk, layoutChunks, MONTHS, WEEKDAYS } from "./time_layout.ts";
import { daysFromCivil, daysInMonth, momentOf, SECOND, UTC } from "./time_zone.ts";

interface Fields {
  year: number;
  month: number | undefined;
  day: number | undefined;
  dayOfYear: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  half: "AM" | "PM" | undefined;
  /** Seconds east of UTC. */
  offset: number | undefined;
}

/** Text that is not as the layout says; turned into one error with both texts. */
class Mismatch extends Error {}

/** The moment that `value` names, in nanoseconds since 1970. @throws {RegoBuiltinError} when it does not fit. */
export function parseTime(layout: string, value: string): bigint {
  try {
    return momentFrom(readFields(layoutChunks(layout), value));
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const detail = error.message === "" ? ` as ${quote(layout.slice(0, 100))}` : `: ${error.message}`;
    throw builtinError(`parsing time ${quote(value.slice(0, 100))}${detail}`);
  }
}

function readFields(chunks: readonly Chunk[], text: string): Fields {
  const fields: Fields = {
    year: 0,
    month: undefined,
    day: undefined,
    dayOfYear: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    half: undefined,
    offset: undefined,
  };
  let rest = text;
  for (const [index, { literal, element }] of chunks.entries()) {
    rest = skipLiteral(rest, literal);
    if (element !== "") rest = readElement(fields, element, rest, chunks[index + 1]);
    else if (rest !== "") throw new Mismatch(`extra text: ${quote(rest.slice(0, 100))}`);
  }
  return fields;
}

/** Spaces of the literal match any number of spaces, even none at the end. */
function skipLiteral(text: string, literal: string): string {
  let rest = text;
  let wanted = literal;
  while (wanted !== "") {
    if (wanted.startsWith(" ")) {
      if (rest !== "" && !rest.startsWith(" ")) throw new Mismatch();
      wanted = wanted.replace(/^ +/, "");
      rest = rest.replace(/^ +/, "");
      continue;
    }
    if (rest === "" || rest.charCodeAt(0) !== wanted.charCodeAt(0)) throw new Mismatch();
    wanted = wanted.slice(1);
    rest = rest.slice(1);
  }
  return rest;
}

/** A number of one or two digits; exactly two when `fixed`. */
function number(text: string, fixed: boolean): [value: number, rest: string] {
  const match = (fixed ? /^[0-9]{2}/ : /^[0-9]{1,2}/).exec(text);
  if (!match) throw new Mismatch();
  return [Number(match[0]), text.slice(match[0].length)];
}

function inRange(value: number, low: number, high: number, what: string): number {
  if (value < low || value > high) throw new Mismatch(`${what} out of range`);
  return value;
}

function name(text: string, names: readonly string[], length?: number): [index: number, rest: string] {
  const lower = text.slice(0, 12).toLowerCase();
  const index = names.findIndex((candidate) => lower.startsWith(candidate.slice(0, length).toLowerCase()));
  if (index < 0) throw new Mismatch();
  return [index, text.slice((names[index] as string).slice(0, length).length)];
}

function readElement(fields: Fields, element: string, text: string, next: Chunk | undefined): string {
  let rest = text;
  let value: number;
  switch (element) {
    case "06":
      [value, rest] = number(rest, true);
      fields.year = value >= 69 ? value + 1900 : value + 2000;
      return rest;
    case "2006":
      if (!/^[0-9]{4}/.test(rest)) throw new Mismatch();
      fields.year = Number(rest.slice(0, 4));
      return rest.slice(4);
    case "Jan":
    case "January":
      [value, rest] = name(rest, MONTHS, element === "Jan" ? 3 : undefined);
      fields.month = value + 1;
      return rest;
    case "1":
    case "01":
      [value, rest] = number(rest, element === "01");
      fields.month = inRange(value, 1, 12, "month");
      return rest;
    case "Mon":
      return name(rest, WEEKDAYS, 3)[1];
    case "Monday":
      return name(rest, WEEKDAYS)[1];
    case "2":
    case "_2":
    case "02":
      if (element === "_2" && rest.startsWith(" ")) rest = rest.slice(1);
      [fields.day, rest] = number(rest, element === "02");
      return rest;
    case "__2":
    case "002": {
      const match = (element === "002" ? /^[0-9]{3}/ : /^ {0,2}([0-9]{1,3})/).exec(rest);
      if (!match) throw new Mismatch();
      fields.dayOfYear = Number(match[0]);
      return rest.slice(match[0].length);
    }
    case "15":
      [value, rest] = number(rest, false);
      fields.hour = inRange(value, 0, 23, "hour");
      return rest;
    case "3":
    case "03":
      [value, rest] = number(rest, element === "03");
      fields.hour = inRange(value, 0, 12, "hour");
      return rest;
    case "4":
    case "04":
      [value, rest] = number(rest, element === "04");
      fields.minute = inRange(value, 0, 59, "minute");
      return rest;
    case "5":
    case "05":
      [value, rest] = number(rest, element === "05");
      fields.second = inRange(value, 0, 59, "second");
      return /^[.,]/.test(next?.element ?? "") && next?.literal === "" ? rest : readFraction(fields, rest);
    case "PM":
    case "pm": {
      const half = rest.slice(0, 2);
      const known = element === "PM" ? /^[AP]M$/.test(half) : /^[ap]m$/.test(half);
      if (!known) throw new Mismatch();
      fields.half = half.toUpperCase() as "AM" | "PM";
      return rest.slice(2);
    }
    case "MST":
      return readAbbreviation(fields, rest);
    default:
      if (/^[.,]/.test(element)) return readFractionElement(fields, element, rest);
      return readOffset(fields, element, rest);
  }
}

/** A fraction behind the seconds, whether or not the layout has one. */
function readFraction(fields: Fields, text: string): string {
  const match = /^[.,]([0-9]+)/.exec(text);
  if (!match) return text;
  fields.nanosecond = Number((match[1] as string).slice(0, 9).padEnd(9, "0"));
  return text.slice(match[0].length);
}

function readFractionElement(fields: Fields, element: string, text: string): string {
  if (element.charAt(1) === "9") return readFraction(fields, text);
  const digits = text.slice(1, element.length);
  if (digits.length < element.length - 1 || !/^[.,]/.test(text) || !/^[0-9]+$/.test(digits)) throw new Mismatch();
  fields.nanosecond = Number(digits.slice(0, 9).padEnd(9, "0"));
  return text.slice(element.length);
}

const OFFSETS: ReadonlyMap<string, RegExp> = new Map([
  ["07", /^([+-])([0-9]{2})/],
  ["0700", /^([+-])([0-9]{2})([0-9]{2})/],
  ["07:00", /^([+-])([0-9]{2}):([0-9]{2})/],
  ["070000", /^([+-])([0-9]{2})([0-9]{2})([0-9]{2})/],
  ["07:00:00", /^([+-])([0-9]{2}):([0-9]{2}):([0-9]{2})/],
]);

function readOffset(fields: Fields, element: string, text: string): string {
  if (element.startsWith("Z") && text.startsWith("Z")) {
    fields.offset = 0;
    return text.slice(1);
  }
  const match = OFFSETS.get(element.slice(1))?.exec(text);
  if (!match) throw new Mismatch();
  const hours = inRange(Number(match[2]), 0, 24, "time zone offset hour");
  const minutes = inRange(Number(match[3] ?? 0), 0, 60, "time zone offset minute");
  const seconds = inRange(Number(match[4] ?? 0), 0, 60, "time zone offset second");
  fields.offset = (match[1] === "-" ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
  return text.slice(match[0].length);
}

/** An abbreviation is read over: only UTC says what its offset is. */
function readAbbreviation(fields: Fields, text: string): string {
  if (text.startsWith("UTC")) {
    fields.offset ??= 0;
    return text.slice(3);
  }
  const match =
    /^(?:ChST|MeST|GMT(?:[+-](?:1?[0-9]|2[0-3])(?![0-9]))?|[+-](?:0*(?:1?[0-9]|2[0-3]))(?![0-9]))/.exec(text) ??
      /^(?:[A-Z]{4}T|[A-Z]{3}T|WITA|[A-Z]{3})(?![A-Z])/.exec(text);
  if (!match || text.length < 3) throw new Mismatch();
  return text.slice(match[0].length);
}

function momentFrom(fields: Fields): bigint {
  let { hour, month, day } = fields;
  if (fields.half === "PM" && hour < 12) hour += 12;
  else if (fields.half === "AM" && hour === 12) hour = 0;
  if (fields.dayOfYear !== undefined) {
    const length = daysFromCivil(fields.year + 1, 1, 1) - daysFromCivil(fields.year, 1, 1);
    if (fields.dayOfYear < 1 || fields.dayOfYear > length) throw new Mismatch("day-of-year out of range");
    let left = fields.dayOfYear;
    let at = 1;
    while (left > daysInMonth(fields.year, at)) left -= daysInMonth(fields.year, at++);
    if (month !== undefined && month !== at) throw new Mismatch("day-of-year does not match month");
    if (day !== undefined && day !== left) throw new Mismatch("day-of-year does not match day");
    [month, day] = [at, left];
  }
  month ??= 1;
  day ??= 1;
  if (day < 1 || day > daysInMonth(fields.year, month)) throw new Mismatch("day out of range");
  const { year, minute, second, nanosecond } = fields;
  return momentOf({ year, month, day, hour, minute, second, nanosecond }, UTC) - BigInt(fields.offset ?? 0) * SECOND;
}
