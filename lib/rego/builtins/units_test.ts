// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("units.* answer as OPA does", () => {
  checkCalls([
    ["units.parse", ["10Ki"], "10240"],
    ["units.parse", ["100m"], "0.1000000000"],
    ["units.parse", ["1.5G"], "1500000000"],
    ["units.parse", ["1e3k"], "1000000"],
    ["units.parse", ["10 K"], "eval_builtin_error: units.parse: units.parse: spaces not allowed in resource strings"],
    ["units.parse", ["10x"], "eval_builtin_error: units.parse: units.parse: unit x not recognized"],
    ["units.parse", ["K"], "eval_builtin_error: units.parse: units.parse: no amount provided"],
    ["units.parse", ["1e9999999"], "eval_builtin_error: units.parse: units.parse: exponent too large"],
    ["units.parse_bytes", ["10KiB"], "10240"],
    ["units.parse_bytes", ["1.5mb"], "1500000"],
    ["units.parse_bytes", ["x"], "eval_builtin_error: units.parse_bytes: units.parse_bytes: no byte amount provided"],
    [
      "units.parse_bytes",
      ["1..5"],
      "eval_builtin_error: units.parse_bytes: units.parse_bytes: could not parse byte amount to a number",
    ],
  ]);
});
