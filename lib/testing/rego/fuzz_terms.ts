// SPDX-License-Identifier: Apache-2.0
/** Makes random Rego terms and bodies over names that are in scope; most have the type that is asked for. */

import { builtins } from "../../rego/builtins/table.ts";
import { makeArguments } from "./fuzz_arguments.ts";
import type { Choices } from "./fuzz_random.ts";
import { NUMBERS, STRINGS } from "./fuzz_samples.ts";

export type TermType = "number" | "string" | "boolean" | "array" | "set" | "object" | "any";

/** A rule that terms may refer to. */
export interface KnownRule {
  readonly name: string;
  readonly kind: "value" | "set" | "object" | "function";
  readonly type: TermType;
  /** Of a function. */
  readonly arity: number;
}

export interface Scope {
  /** Variables that are bound. */
  readonly variables: readonly string[];
  readonly rules: readonly KnownRule[];
}

/** Members of input and of data.d by type; documents are made with these names (fuzz_policy.ts). */
export const MEMBERS: Readonly<Record<TermType, readonly string[]>> = {
  number: ["n", "m"],
  string: ["s", "t"],
  boolean: ["b"],
  array: ["a", "ns", "ss"],
  object: ["o", "p"],
  set: [],
  any: ["n", "s", "b", "a", "ns", "ss", "o", "p", "z", "none"],
};

/** Those that stand in an expression like any other, and answer the same in every run. */
const BUILTINS = [...builtins.values()].filter(({ name, nondeterministic }) =>
  !nondeterministic && !/^(?:internal\.|trace$|io\.jwt\.|crypto\.|regex\.globs|net\.cidr_expand)/.test(name)
);

/** Builtins with the types of their operands, by the type of their result. */
const CALLS: Readonly<Record<TermType, readonly (readonly [string, ...TermType[]])[]>> = {
  number: [
    ["time.parse_rfc3339_ns", "string"],
    ["units.parse", "string"],
    ["count", "array"],
    ["count", "set"],
    ["count", "object"],
    ["count", "string"],
    ["sum", "array"],
    ["product", "array"],
    ["abs", "number"],
    ["round", "number"],
    ["ceil", "number"],
    ["floor", "number"],
    ["to_number", "string"],
    ["indexof", "string", "string"],
    ["strings.count", "string", "string"],
    ["bits.and", "number", "number"],
    ["bits.or", "number", "number"],
    ["bits.xor", "number", "number"],
    ["bits.negate", "number"],
    ["bits.lsh", "number", "number"],
    ["bits.rsh", "number", "number"],
    ["max", "array"],
    ["min", "array"],
    ["units.parse_bytes", "string"],
    ["semver.compare", "string", "string"],
  ],
  string: [
    ["trim_right", "string", "string"],
    ["base64.decode", "string"],
    ["hex.decode", "string"],
    ["urlquery.decode", "string"],
    ["yaml.marshal", "any"],
    ["crypto.md5", "string"],
    ["crypto.hmac.sha256", "string", "string"],
    ["glob.quote_meta", "string"],
    ["strings.replace_n", "object", "string"],
    ["time.weekday", "number"],
    ["json.marshal_with_options", "any", "object"],
    ["lower", "string"],
    ["upper", "string"],
    ["concat", "string", "array"],
    ["concat", "string", "set"],
    ["replace", "string", "string", "string"],
    ["trim", "string", "string"],
    ["trim_left", "string", "string"],
    ["trim_prefix", "string", "string"],
    ["trim_suffix", "string", "string"],
    ["trim_space", "string"],
    ["substring", "string", "number", "number"],
    ["format_int", "number", "number"],
    ["sprintf", "string", "array"],
    ["json.marshal", "any"],
    ["type_name", "any"],
    ["strings.reverse", "string"],
    ["base64.encode", "string"],
    ["hex.encode", "string"],
    ["urlquery.encode", "string"],
    ["crypto.sha256", "string"],
    ["regex.replace", "string", "string", "string"],
    ["base64url.encode_no_pad", "string"],
    ["urlquery.encode_object", "object"],
  ],
  boolean: [
    ["glob.match", "string", "array", "string"],
    ["strings.any_suffix_match", "array", "array"],
    ["net.cidr_intersects", "string", "string"],
    ["regex.globs_match", "string", "string"],
    ["yaml.is_valid", "string"],
    ["contains", "string", "string"],
    ["startswith", "string", "string"],
    ["endswith", "string", "string"],
    ["is_number", "any"],
    ["is_string", "any"],
    ["is_null", "any"],
    ["is_array", "any"],
    ["is_object", "any"],
    ["is_set", "any"],
    ["is_boolean", "any"],
    ["regex.match", "string", "string"],
    ["regex.is_valid", "string"],
    ["json.is_valid", "string"],
    ["object.subset", "object", "object"],
    ["object.subset", "set", "set"],
    ["strings.any_prefix_match", "string", "string"],
    ["semver.is_valid", "string"],
    ["net.cidr_contains", "string", "string"],
  ],
  array: [
    ["numbers.range_step", "number", "number", "number"],
    ["regex.find_all_string_submatch_n", "string", "string", "number"],
    ["time.date", "number"],
    ["time.clock", "number"],
    ["time.diff", "number", "number"],
    ["json.patch", "array", "array"],
    ["array.concat", "array", "array"],
    ["array.slice", "array", "number", "number"],
    ["array.reverse", "array"],
    ["sort", "array"],
    ["sort", "set"],
    ["split", "string", "string"],
    ["numbers.range", "number", "number"],
    ["regex.split", "string", "string"],
    ["indexof_n", "string", "string"],
    ["regex.find_n", "string", "string", "number"],
  ],
  set: [
    ["graph.reachable_paths", "object", "array"],
    ["net.cidr_expand", "string"],
    ["union", "set"],
    ["intersection", "set"],
    ["object.keys", "object"],
    ["graph.reachable", "object", "array"],
  ],
  object: [
    ["json.patch", "object", "array"],
    ["urlquery.decode_object", "string"],
    ["object.union", "object", "object"],
    ["object.remove", "object", "array"],
    ["object.filter", "object", "array"],
    ["json.filter", "object", "array"],
    ["json.remove", "object", "array"],
    ["object.union_n", "array"],
  ],
  any: [
    ["yaml.unmarshal", "string"],
    ["object.get", "object", "string", "any"],
    ["json.unmarshal", "string"],
    ["max", "array"],
    ["min", "set"],
    ["object.get", "object", "array", "any"],
  ],
};

const CONCRETE: readonly TermType[] = ["number", "string", "boolean", "array", "set", "object"];

/** A term of about the `type` asked for; `depth` is how deep it may nest. */
export function makeTerm(c: Choices, scope: Scope, type: TermType, depth: number): string {
  // Now and then something of another type: that is where evaluators differ.
  const wanted = c.chance(0.02) ? "any" : type;
  const kinds = depth <= 0
    ? [literal, member, variable]
    : [literal, member, member, variable, rule, call, call, compound];
  return c.pick(kinds)(c, scope, wanted, depth);
}

function literal(c: Choices, scope: Scope, type: TermType, depth: number): string {
  switch (type) {
    case "number":
      return c.pick(NUMBERS);
    case "string":
      return JSON.stringify(c.pick(STRINGS));
    case "boolean":
      return c.pick(["true", "false"]);
    case "array":
      return `[${c.some(0, 3, () => makeTerm(c, scope, c.pick(["number", "string", "any"]), depth - 1))}]`;
    case "set": {
      const members = c.some(0, 3, () => makeTerm(c, scope, c.pick(["number", "string", "any"]), depth - 1));
      return members.length === 0 ? "set()" : `{${members}}`;
    }
    case "object":
      return `{${c.some(0, 3, () => `${makeKey(c, scope, depth - 1)}: ${makeTerm(c, scope, "any", depth - 1)}`)}}`;
    case "any":
      return c.chance(0.1) ? "null" : literal(c, scope, c.pick(CONCRETE), depth - 1);
  }
}

function makeKey(c: Choices, scope: Scope, depth: number): string {
  return c.chance(0.8) ? JSON.stringify(c.pick(["a", "b", "c", "k"])) : makeTerm(c, scope, "any", depth);
}

/** A part of input or data. */
function member(c: Choices, scope: Scope, type: TermType, depth: number): string {
  const root = c.pick(["input", "input", "data.d"]);
  const names = type === "set" ? MEMBERS.array : MEMBERS[type];
  const ref = `${root}.${c.pick(names)}`;
  if (type === "set") return `{e | some e in ${ref}}`;
  if (type !== "any" || !c.chance(0.5)) return ref;
  return `${root}.${c.pick(["a", "o", "p", "ns"])}[${index(c, scope, depth)}]`;
}

function index(c: Choices, scope: Scope, depth: number): string {
  return c.pick([
    () => "0",
    () => "_",
    () => '"a"',
    () => '"b"',
    () => scope.variables.length > 0 ? c.pick(scope.variables) : "1",
    () => makeTerm(c, scope, c.pick(["number", "string"]), Math.min(depth, 1) - 1),
  ])();
}

function variable(c: Choices, scope: Scope, type: TermType, depth: number): string {
  return scope.variables.length === 0 ? literal(c, scope, type, depth) : c.pick(scope.variables);
}

/** A reference to a rule, or a call of a function. */
function rule(c: Choices, scope: Scope, type: TermType, depth: number): string {
  const fitting = scope.rules.filter((each) => type === "any" || each.type === type || each.type === "any");
  if (fitting.length === 0) return member(c, scope, type, depth);
  const { name, kind, arity } = c.pick(fitting);
  if (kind === "function") {
    return `${name}(${Array.from({ length: arity }, () => makeTerm(c, scope, "any", depth - 1))})`;
  }
  const isIndexed = kind !== "value" && c.chance(0.4);
  return isIndexed ? `${name}[${index(c, scope, depth)}]` : name;
}

function call(c: Choices, scope: Scope, type: TermType, depth: number): string {
  if (c.chance(0.15)) {
    // Any builtin, with arguments from the edges.
    const builtin = c.pick(BUILTINS);
    return `${builtin.name}(${makeArguments(c, builtin, 0).join(", ")})`;
  }
  const [name, ...operands] = c.pick(CALLS[type]);
  return `${name}(${operands.map((operand) => operandOf(c, scope, name, operand, depth - 1)).join(", ")})`;
}

function operandOf(c: Choices, scope: Scope, name: string, type: TermType, depth: number): string {
  // Bounds of what grows fast; the limits of the two evaluators are not the same.
  if (["numbers.range", "numbers.range_step", "bits.lsh", "format_int"].includes(name)) {
    return c.pick(["2", "3", "8", "10", "input.n", "-1"]);
  }
  if (name.startsWith("regex.") && type === "string" && c.chance(0.7)) {
    return JSON.stringify(c.pick(["a+", "[a-c]", "^x", "(a)(b)?", "b$", "."]));
  }
  if (name === "json.patch" && type === "array" && c.chance(0.8)) {
    return `[${c.some(0, 2, () => makePatch(c, scope, depth))}]`;
  }
  if (name.startsWith("net.cidr") && c.chance(0.8)) {
    return JSON.stringify(c.pick(["10.0.0.0/8", "10.0.1.0/30", "10.0.1.2", "::1/126", "1.2.3.4/32", "300.0.0.0/8"]));
  }
  if (name === "time.parse_rfc3339_ns") {
    return JSON.stringify(c.pick(["2024-02-29T12:00:00Z", "1969-12-31T23:59:59.5+01:00", "x"]));
  }
  if (name.startsWith("time.") && c.chance(0.6)) return c.pick(["0", "1709208000000000000", "-1", "86400000000001"]);
  if (name === "glob.match" && type === "string" && c.chance(0.6)) {
    return JSON.stringify(c.pick(["a*", "*", "{a,b}", "?", "[a-c]", "**.b.*"]));
  }
  if (name === "glob.match" && type === "array") return c.pick(["[]", '["."]', '["/", ","]', "null"]);
  if (name === "json.marshal_with_options" && type === "object") {
    return c.pick(['{"pretty": true}', '{"indent": " "}', "{}"]);
  }
  if (name === "strings.replace_n" && type === "object") {
    return c.pick(['{"a": "b", "b": "a"}', '{"": "x"}', "input.o"]);
  }
  if (["base64.decode", "hex.decode", "urlquery.decode"].includes(name)) {
    return JSON.stringify(c.pick(["YQ==", "6162", "a%20b", "ab", "?", ""]));
  }
  if (name === "yaml.unmarshal") {
    return JSON.stringify(c.pick(["a: 1", "[1, 2.0]", "- x\n- null", "a: b: c", "yes", "1e3"]));
  }
  if (name.startsWith("units.")) return JSON.stringify(c.pick(["10K", "1.5Mi", "7", "1e3", "10mb", "m", "100m"]));
  if (name.startsWith("semver.")) return JSON.stringify(c.pick(["1.2.3", "1.2.3-rc.1", "1.10.0", "v1", "1.2.3+b"]));
  if (name === "sprintf" && type === "string") {
    return JSON.stringify(c.pick(["%v", "%d-%s", "%v %v", "%5.2f", "%q", "%x"]));
  }
  if (name === "union" || name === "intersection") {
    return `{${c.some(1, 3, () => makeTerm(c, scope, "set", depth - 1))}}`;
  }
  if (
    ["json.filter", "json.remove", "object.filter", "object.remove", "graph.reachable", "object.get"].includes(name) &&
    type === "array"
  ) {
    return JSON.stringify(c.some(0, 2, () => c.pick(["a", "b", "a/b", "k", "c/0"])));
  }
  if (name === "object.union_n") return `[${c.some(0, 3, () => makeTerm(c, scope, "object", depth - 1))}]`;
  if ((name === "sum" || name === "product") && c.chance(0.7)) return "input.ns";
  if (name === "concat" && type === "array" && c.chance(0.7)) return "input.ss";
  return makeTerm(c, scope, type, depth);
}

function makePatch(c: Choices, scope: Scope, depth: number): string {
  const path = () => JSON.stringify(c.pick(["/a", "/b", "a/b", "/0", "/-", "", "/k/c"]));
  const op = c.pick(["add", "remove", "replace", "move", "copy", "test"]);
  const rest = op === "move" || op === "copy"
    ? `, "from": ${path()}`
    : `, "value": ${makeTerm(c, scope, "any", depth - 1)}`;
  return `{"op": "${op}", "path": ${path()}${op === "remove" ? "" : rest}}`;
}

/** Arithmetic, set operations, comprehensions, comparisons as values. */
function compound(c: Choices, scope: Scope, type: TermType, depth: number): string {
  const part = (of: TermType) => makeTerm(c, scope, of, depth - 1);
  switch (type) {
    case "number":
      return `(${part("number")} ${c.pick(["+", "-", "*", "/", "%"])} ${part("number")})`;
    case "string":
      return c.chance(0.5) ? `$"<{${part("any")}}>"` : call(c, scope, type, depth);
    case "boolean":
      return c.pick([
        () => `(${part("any")} ${c.pick(["==", "!=", "<", "<=", ">", ">="])} ${part("any")})`,
        () => `(${part("any")} in ${part(c.pick(["array", "set", "object"]))})`,
        () => `(${c.pick(["0", '"a"', part("any")])}, ${part("any")} in ${part(c.pick(["array", "object"]))})`,
      ])();
    case "array":
      return comprehension(c, scope, "[", "]", depth);
    case "set":
      return c.chance(0.5)
        ? `(${part("set")} ${c.pick(["|", "&", "-"])} ${part("set")})`
        : comprehension(c, scope, "{", "}", depth);
    case "object": {
      const [variables, body] = generator(c, scope, depth);
      const inner = { ...scope, variables: [...scope.variables, ...variables] };
      const head = `${makeKey(c, inner, 0)}: ${makeTerm(c, inner, "any", depth - 1)}`;
      return `{${head} | ${withoutUnused(body, variables, head)}}`;
    }
    case "any":
      return compound(c, scope, c.pick(CONCRETE), depth);
  }
}

function comprehension(c: Choices, scope: Scope, open: string, close: string, depth: number): string {
  const [variables, body] = generator(c, scope, depth);
  const inner = { ...scope, variables: [...scope.variables, ...variables] };
  const filter = c.chance(0.4) ? `; ${makeTerm(c, inner, "boolean", depth - 1)}` : "";
  const head = makeTerm(c, inner, "any", depth - 1);
  return `${open}${head} | ${withoutUnused(body, variables, head + filter)}${filter}${close}`;
}

/** Rego refuses a variable that is declared and not used: in `some`, it becomes "_". */
export function withoutUnused(text: string, variables: readonly string[], uses: string): string {
  return variables.reduce(
    (left, name) => new RegExp(`\\b${name}\\b`).test(uses) ? left : left.replace(new RegExp(`\\b${name}\\b`), "_"),
    text,
  );
}

/** `some … in …` with the variables it binds. */
export function generator(c: Choices, scope: Scope, depth: number): [variables: string[], text: string] {
  const over = makeTerm(c, scope, c.pick(["array", "array", "object", "set"]), depth - 1);
  const [k, v] = [freshName(scope, 0), freshName(scope, 1)];
  return c.chance(0.6) ? [[k], `some ${k} in ${over}`] : [[k, v], `some ${k}, ${v} in ${over}`];
}

/** A name that is not in scope: v0, v1, … */
export function freshName(scope: Scope, more = 0): string {
  return `v${scope.variables.length + more}`;
}
