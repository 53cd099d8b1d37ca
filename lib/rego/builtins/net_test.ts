// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("net.cidr_* answer as OPA does", () => {
  checkCalls([
    ["net.cidr_contains", ["10.0.0.0/8", "10.1.2.3"], "true"],
    ["net.cidr_contains", ["10.0.0.0/8", "10.0.0.0/7"], "false"],
    ["net.cidr_contains", ["::/80", "::/80"], "true"],
    ["net.cidr_contains", ["10.0.0.0/8", "::ffff:10.0.0.1"], "true"],
    [
      "net.cidr_contains",
      ["10.0.0.0/8", "x"],
      "eval_builtin_error: net.cidr_contains: not a valid textual representation of an IP address or CIDR: x",
    ],
    ["net.cidr_contains", ["x", "10.0.0.1"], "eval_builtin_error: net.cidr_contains: invalid CIDR address: x"],
    ["net.cidr_intersects", ["10.0.0.0/8", "10.1.0.0/16"], "true"],
    ["net.cidr_is_valid", ["10.0.0.0/33"], "false"],
    ["net.cidr_is_valid", ["10.0.0.01/8"], "false"],
    ["net.cidr_is_valid", ["::1/128"], "true"],
    ["net.cidr_expand", ["10.0.0.254/31"], '["10.0.0.254","10.0.0.255"]'],
    ["net.cidr_expand", ["2001:db8::/127"], '["2001:db8::","2001:db8::1"]'],
    ["net.cidr_merge", [["10.0.0.0/24", "10.0.1.0/24"]], '["10.0.0.0/23"]'],
    ["net.cidr_merge", [["192.0.128.0", "192.0.129.0"]], '["192.0.128.0/23"]'],
    ["net.cidr_merge", [["2001:db8::1"]], "eval_builtin_error: net.cidr_merge: IPv6 invalid: needs prefix length"],
    ["net.cidr_contains_matches", [[["1.1.0.0/16", "x"], "1.1.2.0/24"], set("1.1.1.1")], '[[0,"1.1.1.1"]]'],
  ]);
});
