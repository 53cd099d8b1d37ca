// SPDX-License-Identifier: Apache-2.0
/** Go's time layouts: formats written with the reference time Mon Jan 2 15:04:05 MST 2006 (package time). */

import { type CivilTime, daysFromCivil, weekday } from "./time_zone.ts";

export const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

export const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** One element of a layout after the literal text before it; `element` "" ends the layout. */
export interface Chunk {
  readonly literal: string;
  readonly element: string;
}

/** Elements by their first character; of those that fit the first counts. */
const ELEMENTS: readonly (readonly [string, RegExp])[] = [
  ["January", /^January/],
  ["Jan", /^Jan(?![a-z])/],
  ["Monday", /^Monday/],
  ["Mon", /^Mon(?![a-z])/],
  ["MST", /^MST/],
  ["002", /^002/],
  ["0", /^0[1-6]/],
  ["15", /^15/],
  ["1", /^1/],
  ["2006", /^2006/],
  ["2", /^2/],
  ["__2", /^__2/],
  ["_2", /^_2(?!006)/],
  ["3", /^3/],
  ["4", /^4/],
  ["5", /^5/],
  ["PM", /^PM/],
  ["pm", /^pm/],
  ["-", /^-(?:070000|07:00:00|0700|07:00|07)/],
  ["Z", /^Z(?:070000|07:00:00|0700|07:00|07)/],
  [".", /^[.,](?:0+|9+)(?![0-9])/],
];

/** Splits a layout into its elements; the last chunk has none. */
export function layoutChunks(layout: string): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let start = 0;
  for (let index = 0; index < layout.length;) {
    const element = elementAt(layout, index);
    if (element === "") index++;
    else {
      chunks.push({ literal: layout.slice(start, index), element });
      index += element.length;
      start = index;
    }
  }
  chunks.push({ literal: layout.slice(start), element: "" });
  return chunks;
}

function elementAt(layout: string, index: number): string {
  if (!/[JM0-5_Pp\-Z.,]/.test(layout.charAt(index))) return "";
  // No element but a fraction is longer than "-07:00:00"; a fraction is read to its end.
  const rest = layout.slice(index, index + (/[.,]/.test(layout.charAt(index)) ? layout.length : 10));
  for (const [, pattern] of ELEMENTS) {
    const match = pattern.exec(rest);
    if (match) return match[0];
  }
  return "";
}

function pad(value: number, width: number, fill = "0"): string {
  return String(value).padStart(width, fill);
}

/** Writes a time by a layout. */
export function formatTime(time: CivilTime, offset: number, abbreviation: string, layout: string): string {
  const parts: string[] = [];
  for (const { literal, element } of layoutChunks(layout)) {
    parts.push(literal, element === "" ? "" : formatElement(time, offset, abbreviation, element));
  }
  return parts.join("");
}

function formatElement(time: CivilTime, offset: number, abbreviation: string, element: string): string {
  const hour12 = time.hour % 12 === 0 ? 12 : time.hour % 12;
  switch (element) {
    case "2006":
      return time.year < 0 ? `-${pad(-time.year, 4)}` : pad(time.year, 4);
    case "06":
      return pad(((time.year % 100) + 100) % 100, 2);
    case "January":
      return MONTHS[time.month - 1] as string;
    case "Jan":
      return (MONTHS[time.month - 1] as string).slice(0, 3);
    case "1":
      return String(time.month);
    case "01":
      return pad(time.month, 2);
    case "Monday":
      return WEEKDAYS[weekday(time)] as string;
    case "Mon":
      return (WEEKDAYS[weekday(time)] as string).slice(0, 3);
    case "2":
      return String(time.day);
    case "_2":
      return pad(time.day, 2, " ");
    case "02":
      return pad(time.day, 2);
    case "__2":
      return pad(dayOfYear(time), 3, " ");
    case "002":
      return pad(dayOfYear(time), 3);
    case "15":
      return pad(time.hour, 2);
    case "3":
      return String(hour12);
    case "03":
      return pad(hour12, 2);
    case "4":
      return String(time.minute);
    case "04":
      return pad(time.minute, 2);
    case "5":
      return String(time.second);
    case "05":
      return pad(time.second, 2);
    case "PM":
      return time.hour >= 12 ? "PM" : "AM";
    case "pm":
      return time.hour >= 12 ? "pm" : "am";
    case "MST":
      return abbreviation;
    default:
      return /^[.,]/.test(element) ? formatFraction(time.nanosecond, element) : formatOffset(offset, element);
  }
}

function dayOfYear({ year, month, day }: CivilTime): number {
  return daysFromCivil(year, month, day) - daysFromCivil(year, 1, 1) + 1;
}

function formatFraction(nanosecond: number, element: string): string {
  const digits = pad(nanosecond, 9).slice(0, element.length - 1).padEnd(element.length - 1, "0");
  if (element.charAt(1) === "0") return element.charAt(0) + digits;
  const trimmed = digits.replace(/0+$/, "");
  return trimmed === "" ? "" : element.charAt(0) + trimmed;
}

function formatOffset(offset: number, element: string): string {
  if (element.startsWith("Z") && offset === 0) return "Z";
  const magnitude = Math.abs(offset);
  const sign = offset < 0 ? "-" : "+";
  const hours = pad(Math.floor(magnitude / 3600), 2);
  const minutes = pad(Math.floor(magnitude % 3600 / 60), 2);
  const seconds = pad(magnitude % 60, 2);
  switch (element.slice(1)) {
    case "07":
      return sign + hours;
    case "0700":
      return sign + hours + minutes;
    case "07:00":
      return `${sign}${hours}:${minutes}`;
    case "070000":
      return sign + hours + minutes + seconds;
    default:
      return `${sign}${hours}:${minutes}:${seconds}`;
  }
}
