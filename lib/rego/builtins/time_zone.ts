// SPDX-License-Identifier: Apache-2.0
/** Moments and calendar fields in a time zone; the zones come from Intl, nothing is read from files. */

import { builtinError } from "./builtin.ts";

/** Nanoseconds of a second. */
export const SECOND = 1_000_000_000n;

/** Calendar fields; the month counts from 1. */
export interface CivilTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
}

/** A time zone: the offset from UTC in seconds, and its abbreviation, at a moment (seconds since 1970). */
export interface Zone {
  readonly name: string;
  offsetAt(seconds: number): number;
  abbreviationAt(seconds: number): string;
}

export const UTC: Zone = { name: "UTC", offsetAt: () => 0, abbreviationAt: () => "UTC" };

/** Locales whose short names of zones are abbreviations in the regions where the zones are used. */
const ABBREVIATING = ["en-US", "en-GB", "en-AU", "en-IN", "en-ZA", "en-CA", "en-NZ"];

/** The zone of an IANA name. @throws {RegoBuiltinError} for an unknown one, and for the machine's own ("Local"). */
export function zoneOf(name: string): Zone {
  if (name === "" || name === "UTC") return UTC;
  if (name === "Local") throw builtinError("the local time zone of the machine is not for policies to see");
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    throw unknownZone(name);
  }
  const resolved = format.resolvedOptions().timeZone;
  // Intl takes names in any case and offsets such as +01:00; the zone database has exact names only.
  const sameButCase = resolved !== name && resolved.toLowerCase() === name.toLowerCase();
  if (!/^[A-Z][\w+-]*(?:\/[A-Z][\w+-]*)*$/.test(name) || sameButCase) throw unknownZone(name);
  const offsetAt = (seconds: number) => offsetIn(format, seconds);
  return { name, offsetAt, abbreviationAt: (seconds) => abbreviation(name, seconds, offsetAt) };
}

function unknownZone(name: string) {
  return builtinError(`unknown time zone ${name.slice(0, 100)}`);
}

function offsetIn(format: Intl.DateTimeFormat, seconds: number): number {
  const fields: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(seconds * 1000)) fields[type] = value;
  const year = fields.era === "BC" || fields.era === "B" ? 1 - Number(fields.year) : Number(fields.year);
  const local = daysFromCivil(year, Number(fields.month), Number(fields.day)) * 86_400 +
    Number(fields.hour) * 3600 + Number(fields.minute) * 60 + Number(fields.second);
  return local - seconds;
}

/** Seconds of 28 years, after which dates fall on the same weekdays again. */
const CALENDAR_CYCLE = 883_612_800;

function abbreviation(name: string, seconds: number, offsetAt: (seconds: number) => number): string {
  const offset = offsetAt(seconds);
  // Before zones had standard times their offsets were those of the sun.
  if (offset % 60 !== 0) return "LMT";
  let at = seconds;
  // Intl has names from 1970 on; the same season with the same offset has the same name.
  while (at < 0) at += CALENDAR_CYCLE;
  const named = offsetAt(at) === offset ? shortName(name, at) : undefined;
  if (named !== undefined) return named;
  const magnitude = Math.abs(offset);
  const hours = String(Math.floor(magnitude / 3600)).padStart(2, "0");
  const minutes = Math.floor(magnitude % 3600 / 60);
  return `${offset < 0 ? "-" : "+"}${hours}${minutes === 0 ? "" : String(minutes).padStart(2, "0")}`;
}

function shortName(name: string, seconds: number): string | undefined {
  for (const locale of ABBREVIATING) {
    const format = new Intl.DateTimeFormat(locale, { timeZone: name, timeZoneName: "short" });
    const text = format.formatToParts(seconds * 1000).find((part) => part.type === "timeZoneName")?.value ?? "";
    if (/^[A-Z]{3,5}$/.test(text)) return text;
  }
  return undefined;
}

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar; month and day may be out of range. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const months = year * 12 + month - 1;
  const y = Math.floor(months / 12);
  const m = months - y * 12;
  const shifted = m < 2 ? y - 1 : y;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((m + 10) % 12) + 2) / 5);
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear + day -
    1 - 719_468;
}

/** Days of a month; February knows leap years. */
export function daysInMonth(year: number, month: number): number {
  return daysFromCivil(year, month + 1, 1) - daysFromCivil(year, month, 1);
}

/** The calendar fields of a moment (nanoseconds since 1970) in a zone. */
export function civilTime(moment: bigint, zone: Zone): CivilTime {
  const seconds = floorDivide(moment, SECOND);
  return civilFrom(Number(seconds) + zone.offsetAt(Number(seconds)), Number(moment - seconds * SECOND));
}

function civilFrom(local: number, nanosecond: number): CivilTime {
  const days = Math.floor(local / 86_400);
  const rest = local - days * 86_400;
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest % 3600 / 60),
    second: rest % 60,
    nanosecond,
  };
}

/** The moment at which a zone shows these fields; fields out of range carry over, as Go's time.Date does it. */
export function momentOf(time: CivilTime, zone: Zone): bigint {
  const days = daysFromCivil(time.year, time.month, time.day);
  const local = days * 86_400 + time.hour * 3600 + time.minute * 60 + time.second;
  if (!Number.isSafeInteger(local)) throw builtinError("time outside of valid range");
  let offset = zone.offsetAt(clampForIntl(local));
  if (offset !== 0 && zone.offsetAt(clampForIntl(local - offset)) !== offset) {
    offset = zone.offsetAt(clampForIntl(local - offset));
  }
  return BigInt(local - offset) * SECOND + BigInt(time.nanosecond);
}

/** Intl knows dates up to 8.64e12 seconds from 1970 (ECMA-262, time values); what lies beyond is refused later. */
function clampForIntl(seconds: number): number {
  return Math.min(Math.max(seconds, -8.6e12), 8.6e12);
}

export function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/** 0 for Sunday. */
export function weekday({ year, month, day }: CivilTime): number {
  return ((daysFromCivil(year, month, day) + 4) % 7 + 7) % 7;
}
