// SPDX-License-Identifier: Apache-2.0
/** Knows what OPA v1.22.0 answers wrongly, and where peerctl means to answer otherwise: no differences to mend. */

import type { Reply } from "./differential.ts";
import { type FuzzPair, renderPair } from "./fuzz_policy.ts";

/** A policy for which the answers differ and stay so; `input` is what INPUT holds. */
export interface KnownDifference {
  readonly why: string;
  /** Rules of a package `fuzz`, asked for data.fuzz. */
  readonly rules: string;
  /** Texts of replies as replyText() gives them, without the place and the value of other rules. */
  readonly opa: string;
  readonly ours: string;
}

/** The input of every KnownDifference. */
export const INPUT = '{"a":1,"key":"a","one":1}';

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    why:
      "OPA takes a body of nothing but `not true` for an empty one, and loses it, when the head needs expressions of " +
      "its own: the rule holds though its body does not.",
    rules: "x := input.a if { not true }",
    opa: 'x = {"x":1e0}',
    ours: "x = {}",
  },
  {
    why: "The same with `true` under a `with` whose value is undefined.",
    rules: "x := input.a if { true with input as data.none }",
    opa: 'x = {"x":1e0}',
    ours: "x = {}",
  },
  {
    why: "A rule in place of a builtin whose result nothing captures counts as true in OPA, even if it is false.",
    rules: 'r := false\nx if startswith("a", "b") with startswith as r',
    opa: 'x = {"r":false,"x":true}',
    ours: 'x = {"r":false}',
  },
  {
    why:
      "Members of a set that become equal when they are evaluated are visited once each by OPA: a set with two of one.",
    rules: "x := [1 | some _ in {1, input.one}]",
    opa: 'x = {"x":[1e0,1e0]}',
    ours: 'x = {"x":[1e0]}',
  },
  {
    why: "Where an expression closes over a variable, OPA forgets to look whether its other variables are bound, and " +
      "fails when it is evaluated. peerctl binds them first, or refuses the policy.",
    rules: "x := y if { z := 1; y > [z | z == 1]; y = {3} }",
    opa: "eval error eval_internal_error",
    ours: 'x = {"x":<3e0>}',
  },
  {
    why: "json.patch that removes the whole document ends OPA's evaluation with a nil pointer; here it is undefined.",
    rules: 'x := json.patch(1, [{"op": "remove", "path": ""}])',
    opa: "eval error panic",
    ours: "x = {}",
  },
  {
    why: "A function with neither value nor body is always true in OPA, and refused here: its body may be forgotten.",
    rules: "f(y)\nx := f(1)",
    opa: 'x = {"x":true}',
    ours:
      "load error rego_parse_error: fuzz.rego:2:1: rego_parse_error: a function has a value or a body: := true, if " +
      "it holds for everything",
  },
  {
    why:
      "Of keys of a written object that become equal when they are evaluated, with different values, OPA takes now " +
      "the one and now the other: nobody can rely on either, so the evaluation stops.",
    rules: 'o := {"a": 1, input.key: 2}\nx := [o.a, {"a": 1, input.key: 2}.a]',
    opa: 'x = {"o":{"a":2e0},"x":[2e0,1e0]}',
    ours: "eval error eval_conflict_error: fuzz.rego:2:6: eval_conflict_error: keys of an object become equal, with " +
      "different values",
  },
  {
    why: "walk() in OPA stops at the first result that will do, and so never sees that the rule it stands in has " +
      "several values. They are a conflict here, as they are with anything else than walk().",
    rules: "f(y) := z if walk(input, [_, z])\nx if f(1) != 7",
    opa: 'x = {"x":true}',
    ours: "eval error eval_conflict_error: fuzz.rego:2:1: eval_conflict_error: functions must not produce multiple " +
      "outputs for same inputs",
  },
  {
    why:
      "Members of a written set or object are visited in the order of the policy's own terms by OPA, variables last, " +
      "here always in the order of their values.",
    rules: "x := [y | some y in {input.one, 0, 2}]",
    opa: 'x = {"x":[0,2e0,1e0]}',
    ours: 'x = {"x":[0,1e0,2e0]}',
  },
  {
    why:
      "OPA lets a pattern declare a local `input` or `data`, though it refuses each by itself. Both are refused here.",
    rules: "x := y if { [y, input] := [1, 2] }",
    opa: 'x = {"x":1e0}',
    ours: "load error rego_compile_error: fuzz.rego:2:17: rego_compile_error: variables must not shadow input (use a " +
      "different variable name)",
  },
  {
    why:
      "The variable of an `every` may be meant by its own domain in OPA, which then keeps the members that equal it.",
    rules: 'x if { every v in {"c": input.none[v]} { v > 1 } }',
    opa: "x = {}",
    ours: "load error rego_unsafe_var_error: fuzz.rego:2:14: rego_unsafe_var_error: var v is unsafe",
  },
  {
    why:
      "Rules of one object that use each other by constant keys behind a variable: refused here, as may be recursive.",
    rules: 'x.a[y].b := 1 if y := "k"\nx.a[y].c := data.fuzz.x.a[y].b if y := "k"',
    opa: 'x = {"x":{"a":{"k":{"b":1e0,"c":1e0}}}}',
    ours: "load error rego_recursion_error: fuzz.rego:2:1: rego_recursion_error: rule data.fuzz.x.a is recursive: " +
      "data.fuzz.x.a -> data.fuzz.x.a",
  },
  {
    why: "OPA does not know the names of rules and imports in an interpolated string that is an index.",
    rules: 'r := "a"\nx := input[$"{r}"]',
    opa: "load error rego_unsafe_var_error",
    ours: 'x = {"r":"a","x":1e0}',
  },
  {
    why: "OPA reads `1_0` as a number, and hands it on as JSON that no one can read.",
    rules: 'x := to_number("1_0")',
    opa: 'x = {"x":number 1_0}',
    ours: "x = {}",
  },
  {
    why: "OPA keeps the text that to_number() reads, and shows it in interpolated strings.",
    rules: 'x := $"{to_number("005")}"',
    opa: 'x = {"x":"005"}',
    ours: 'x = {"x":"5"}',
  },
  {
    why:
      "A number found in a set keeps the notation that it was looked up by in OPA, and interpolated strings show it.",
    rules: 'x := $"<{v}>" if { v := {1}[1e0] }',
    opa: 'x = {"x":"<1e0>"}',
    ours: 'x = {"x":"<1>"}',
  },
  {
    why: "OPA compares an IPv4 network that is written as IPv6 by other bytes, and so does not merge it.",
    rules: 'x := net.cidr_merge(["::ffff:1.2.3.4", "::ffff:1.2.3.4/120"])',
    opa: 'x = {"x":<"1.2.3.0/24","1.2.3.4/8">}',
    ours: 'x = {"x":<"1.0.0.0/8">}',
  },
  {
    why: "Years beyond the machine word go round to the other end of time in OPA.",
    rules: "x := time.add_date(0, 9223372036854775807, 0, 0)",
    opa: 'x = {"x":-31487616e9}',
    ours: "x = {}",
  },
  {
    why: "The time zone `Local` would tell a policy about the machine that it runs on: an error here, on purpose.",
    rules: 'x := time.clock([0, "Local"])',
    opa: 'x = {"x":[0,0,0]}',
    ours: "x = {}",
  },
  {
    why:
      "Abbreviations of time zones, and offsets before 1970, are those of the JavaScript engine (Unicode CLDR), which " +
      "are others than those of the zone database in some zones.",
    rules: 'x := time.format([1700000000000000000, "Australia/Lord_Howe", "MST -0700"])',
    opa: 'x = {"x":"+11 +1100"}',
    ours: 'x = {"x":"LHDT +1100"}',
  },
  {
    why: "Lines of YAML 1.1 may end with the separators U+2028 and U+2029; here they are characters like others.",
    rules: 'x := yaml.unmarshal("a: 1\\u2028b: 2")',
    opa: 'x = {"x":{"a":1e0,"b":2e0}}',
    ours: "x = {}",
  },
  {
    why: "A line with nothing but a tab is blank by the YAML specification, and an error of OPA's reader.",
    rules: 'x := yaml.unmarshal("a: 1\\n\\t\\nb: 2")',
    opa: "x = {}",
    ours: 'x = {"x":{"a":1e0,"b":2e0}}',
  },
];

/** A body of one expression that OPA takes for the body `true` when the head needs expressions of its own. */
const TRUE_IN_DISGUISE = /^(?:not \(*true\)*$|\(*true\)* with )/;

/** A set of several members, one of which is not a constant; or an object with such a key. */
const COMPUTED_SET = /\{[^{}:|]*,[^{}|]*\}|[{,]\s*(?!true\b|false\b|null\b)[A-Za-z_$][^"{}|,]*:[^=]/;

/** Strings, which may hold brackets. */
const TEXT = /"(?:[^"\\]|\\.)*"/g;

/** What lib/rego says where OPA takes one of two values of a key. */
const EQUAL_KEYS = "keys of an object become equal";

/**
 * - `x := input.a if { not true }` and `x := input.a if { true with input as data.none }`: the body is lost, x has a value.
 * - `[1 | some x in {1, input.one}]`: members that become equal are visited once each: [1, 1].
 * - `{"a": 1, input.key: 2}`: keys that become equal are an error here, and either of the two in OPA.
 * - `y > [1 | z]` with y unbound: for z it forgets to refuse y, and fails or drops the expression when it is evaluated.
 */
export function isOpaFault(pair: FuzzPair, opa: Reply, ours: Reply): boolean {
  if (pair.clauses.some(({ body }) => body.length === 1 && TRUE_IN_DISGUISE.test(body[0]!))) return true;
  if (ours.kind === "error" && ours.message.includes(EQUAL_KEYS)) return true;
  const isUnsafe = opa.kind === "error" && opa.codes.every((code) => code === "rego_unsafe_var_error");
  if (isUnsafe && /\[\$["`]/.test(renderPair(pair).policy)) return true;
  // What it says of itself.
  if (opa.kind === "error" && opa.codes.includes("eval_internal_error")) return true;
  const { policy } = renderPair(pair);
  if (/\$["`].*to_number\(/.test(policy) && opa.kind === "rows" && ours.kind === "rows") return true;
  const isConflict = ours.kind === "error" && ours.codes.includes("eval_conflict_error");
  if (isConflict && opa.kind === "rows" && pair.clauses.some(({ body }) => body.join().includes("walk("))) return true;
  // Both end, though another error is the first.
  if (pair.strict && isEnd(opa) && isEnd(ours)) return true;
  if (ours.kind === "error" && ours.stage === "load") {
    const isAccepted = !(opa.kind === "error" && opa.stage === "load");
    const line = policy.split("\n")[Number(/^fuzz\.rego:(\d+):/.exec(ours.message)?.[1] ?? 0) - 1] ?? "";
    return isAccepted && ours.codes.every((code) => code === "rego_unsafe_var_error") && /\||every /.test(line);
  }
  return ours.kind === "rows" && opa.kind !== "stopped" && COMPUTED_SET.test(policy.replace(TEXT, '""')) &&
    repeats(opa, ours);
}

function isEnd(reply: Reply): boolean {
  return reply.kind === "error" && reply.stage === "eval";
}

/** True when the answers are the same but for members that stand several times. */
function repeats(opa: Reply, ours: Reply): boolean {
  const members = (text: string) => [...new Set(text.split(/[,\[\]<>{}]/))].sort().join();
  return opa.kind === "rows" && ours.kind === "rows" && members(opa.text) === members(ours.text);
}
