// SPDX-License-Identifier: Apache-2.0
/** time.*: moments are nanoseconds since 1970; the clock is the query's own. */

import { fromBigInt, isNumber, toBigInt, toDouble } from "../numbers.ts";
import { isArray, type Value } from "../values.ts";
import {
  type Builtin,
  type BuiltinContext,
  builtinError,
  family,
  numberType,
  orType,
  stringType,
  tupleType,
} from "./builtin.ts";
import { parseDuration } from "./duration.ts";
import { chargeText, intOperand, reserveText, stringOperand, typeError } from "./operands.ts";
import { formatTime, WEEKDAYS } from "./time_layout.ts";
import { parseTime } from "./time_parse.ts";
import {
  type CivilTime,
  civilTime,
  daysInMonth,
  floorDivide,
  momentOf,
  SECOND,
  UTC,
  weekday,
  type Zone,
  zoneOf,
} from "./time_zone.ts";

const MOMENT = orType(numberType, tupleType(numberType, stringType));

/** Layouts that may be named (package time, constants). */
const LAYOUTS: ReadonlyMap<string, string> = new Map([
  ["ANSIC", "Mon Jan _2 15:04:05 2006"],
  ["UnixDate", "Mon Jan _2 15:04:05 MST 2006"],
  ["RubyDate", "Mon Jan 02 15:04:05 -0700 2006"],
  ["RFC822", "02 Jan 06 15:04 MST"],
  ["RFC822Z", "02 Jan 06 15:04 -0700"],
  ["RFC850", "Monday, 02-Jan-06 15:04:05 MST"],
  ["RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"],
  ["RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"],
  ["RFC3339", "2006-01-02T15:04:05Z07:00"],
  ["RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"],
]);

const RFC3339 = "2006-01-02T15:04:05Z07:00";
const RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00";

/** Longest time text that is read: no time is written with more. */
const MAX_TIME_LENGTH = 4096;

/** A function of the calendar fields of a moment. */
function ofMoment(name: string, result: Builtin["result"], call: (time: CivilTime) => Value): Builtin {
  return {
    name,
    args: [MOMENT],
    result,
    call(context, args) {
      const { moment, zone } = momentOperand(context, args, 1);
      return call(civilTime(moment, zone));
    },
  };
}

const NUMBERS_3 = tupleType(numberType, numberType, numberType);

export const times = family(
  {
    name: "time.now_ns",
    args: [],
    result: numberType,
    nondeterministic: true,
    call: (context) => fromBigInt(context.now()),
  },
  {
    name: "time.parse_rfc3339_ns",
    args: [stringType],
    result: numberType,
    call: (context, args) => checkedMoment(parseTime(RFC3339, timeText(context, args, 1))),
  },
  {
    name: "time.parse_ns",
    args: [stringType, stringType],
    result: numberType,
    call(context, args) {
      const layout = timeText(context, args, 1);
      return checkedMoment(parseTime(LAYOUTS.get(layout) ?? layout, timeText(context, args, 2)));
    },
  },
  {
    name: "time.parse_duration_ns",
    args: [stringType],
    result: numberType,
    call: (context, args) => fromBigInt(parseDuration(timeText(context, args, 1))),
  },
  {
    name: "time.format",
    args: [orType(numberType, tupleType(numberType, stringType), tupleType(numberType, stringType, stringType))],
    result: stringType,
    call(context, args) {
      const { moment, zone, layout } = momentOperand(context, args, 1);
      const chosen = layout === "" ? RFC3339_NANO : LAYOUTS.get(layout) ?? layout;
      chargeText(context, chosen.length * 64);
      const seconds = Number(floorDivide(moment, SECOND));
      const abbreviation = chosen.includes("MST") ? zone.abbreviationAt(seconds) : "";
      // An element is at most nine characters longer than its text; most are shorter.
      reserveText(context, chosen.length * 10);
      return formatTime(civilTime(moment, zone), zone.offsetAt(seconds), abbreviation, chosen);
    },
  },
  ofMoment("time.date", NUMBERS_3, ({ year, month, day }) => [year, month, day]),
  ofMoment("time.clock", NUMBERS_3, ({ hour, minute, second }) => [hour, minute, second]),
  ofMoment("time.weekday", stringType, (time) => WEEKDAYS[weekday(time)] as string),
  {
    name: "time.add_date",
    args: [numberType, numberType, numberType, numberType],
    result: numberType,
    call(context, args) {
      const { moment, zone } = momentOperand(context, args, 1);
      const time = civilTime(moment, zone);
      const [years, months, days] = [2, 3, 4].map((position) => intOperand(args, position)) as [number, number, number];
      const sum = { ...time, year: time.year + years, month: time.month + months, day: time.day + days };
      return checkedMoment(momentOf(sum, zone));
    },
  },
  {
    name: "time.diff",
    args: [MOMENT, MOMENT],
    result: tupleType(numberType, numberType, numberType, numberType, numberType, numberType),
    call(context, args) {
      const a = momentOperand(context, args, 1);
      const b = momentOperand(context, args, 2);
      const [earlier, later] = a.moment > b.moment ? [b.moment, a.moment] : [a.moment, b.moment];
      return difference(civilTime(earlier, a.zone), civilTime(later, a.zone));
    },
  },
);

function timeText(context: BuiltinContext, args: readonly Value[], position: number): string {
  const text = stringOperand(args, position);
  if (text.length > MAX_TIME_LENGTH) throw builtinError(`text of ${text.length} characters is not a time`);
  chargeText(context, text.length * 8);
  return text;
}

const MAX_INT64 = (1n << 63n) - 1n;
const MIN_INT64 = -(1n << 63n);

function checkedMoment(moment: bigint): Value {
  if (moment < MIN_INT64 || moment > MAX_INT64) throw builtinError("time outside of valid range");
  return fromBigInt(moment);
}

interface Moment {
  readonly moment: bigint;
  readonly zone: Zone;
  readonly layout: string;
}

/** Reads nanoseconds, or an array of them, a zone and a layout. */
function momentOperand(context: BuiltinContext, args: readonly Value[], position: number): Moment {
  const value = args[position - 1] as Value;
  const parts = isArray(value) ? value : [value];
  const [number, zone, layout] = parts;
  if (number === undefined || !(isArray(value) || isNumber(value))) {
    throw typeError(1, value, "either number (ns) or [number (ns), string (tz)]");
  }
  if (!isNumber(number)) throw typeError(1, number, "number");
  if (zone !== undefined && typeof zone !== "string") throw typeError(1, zone, "string");
  if (layout !== undefined && typeof layout !== "string") throw typeError(1, layout, "string");
  const moment = Math.abs(toDouble(number)) < 1e19 ? toBigInt(number) : undefined;
  if (moment === undefined || moment < MIN_INT64 || moment > MAX_INT64) throw builtinError("timestamp too big");
  return { moment, zone: zone === undefined ? UTC : cachedZone(context, zone), layout: layout ?? "" };
}

function cachedZone(context: BuiltinContext, name: string): Zone {
  if (name === "" || name === "UTC") return UTC;
  const key = `time.zone:${name}`;
  const known = context.cache.get(key) as Zone | undefined;
  if (known) return known;
  context.charge(1000);
  const zone = zoneOf(name);
  context.cache.set(key, zone);
  return zone;
}

/** Years, months, days, hours, minutes and seconds from one time to a later one, each borrowing from the next. */
function difference(from: CivilTime, to: CivilTime): Value[] {
  let second = to.second - from.second;
  let minute = to.minute - from.minute;
  let hour = to.hour - from.hour;
  let day = to.day - from.day;
  let month = to.month - from.month;
  let year = to.year - from.year;
  if (second < 0) [second, minute] = [second + 60, minute - 1];
  if (minute < 0) [minute, hour] = [minute + 60, hour - 1];
  if (hour < 0) [hour, day] = [hour + 24, day - 1];
  if (day < 0) [day, month] = [day + daysInMonth(from.year, from.month), month - 1];
  if (month < 0) [month, year] = [month + 12, year - 1];
  return [year, month, day, hour, minute, second];
}
