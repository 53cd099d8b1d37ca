// SPDX-License-Identifier: Apache-2.0
import { checkCalls, num } from "../../testing/rego/builtin_calls.ts";

Deno.test("time.* answer as OPA does", () => {
  checkCalls([
    ["time.parse_rfc3339_ns", ["2023-01-02T03:04:05.5+01:00"], "1672625045500000000"],
    [
      "time.parse_rfc3339_ns",
      ["2023-02-29T00:00:00Z"],
      'eval_builtin_error: time.parse_rfc3339_ns: parsing time "2023-02-29T00:00:00Z": day out of range',
    ],
    [
      "time.parse_rfc3339_ns",
      ["1600-01-01T00:00:00Z"],
      "eval_builtin_error: time.parse_rfc3339_ns: time outside of valid range",
    ],
    ["time.parse_ns", ["RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"], "1136214245000000000"],
    ["time.parse_ns", ["2006 __2", "2023   5"], "1672876800000000000"],
    ["time.parse_ns", ["3:04 PM", "12:01 AM"], "eval_builtin_error: time.parse_ns: time outside of valid range"],
    ["time.parse_duration_ns", ["1d2h30m"], "95400000000000"],
    ["time.parse_duration_ns", ["1.5h"], "5400000000000"],
    [
      "time.parse_duration_ns",
      ["1x"],
      'eval_builtin_error: time.parse_duration_ns: time: unknown unit "x" in duration "1x"',
    ],
    [
      "time.parse_duration_ns",
      ["10"],
      'eval_builtin_error: time.parse_duration_ns: time: missing unit in duration "10"',
    ],
    ["time.date", [[num("1700000000000000000"), "America/New_York"]], "[2023,11,14]"],
    ["time.clock", [[num("1700000000000000000"), "Asia/Kolkata"]], "[3,43,20]"],
    ["time.weekday", [num("1700000000000000000")], '"Tuesday"'],
    ["time.format", [[num("1700000000123456789"), "Europe/Berlin"]], '"2023-11-14T23:13:20.123456789+01:00"'],
    ["time.format", [[0, "America/New_York", "RFC1123"]], '"Wed, 31 Dec 1969 19:00:00 EST"'],
    ["time.format", [[0, "", "Jan _2 06 3:04PM .000"]], '"Jan  1 70 12:00AM .000"'],
    ["time.add_date", [[num("1667116800000000000"), "America/New_York"], 0, 1, 0], "1669798800000000000"],
    ["time.add_date", [0, 500, 0, 0], "eval_builtin_error: time.add_date: time outside of valid range"],
    ["time.diff", [num("1700000000000000000"), 0], "[53,10,13,22,13,20]"],
    ["time.date", [[0, "Nope/Zone"]], "eval_builtin_error: time.date: unknown time zone Nope/Zone"],
    [
      "time.date",
      [[0, "Local"]],
      "eval_builtin_error: time.date: the local time zone of the machine is not for policies to see",
    ],
    ["time.date", [1.5], "eval_builtin_error: time.date: timestamp too big"],
    [
      "time.date",
      ["x"],
      "eval_type_error: time.date: operand 1 must be either number (ns) or [number (ns), string (tz)] but got string",
    ],
  ]);
});
