// SPDX-License-Identifier: Apache-2.0
/** Makes random arguments for each builtin: of the right form mostly, at its edges often. */

import type { Builtin, Type } from "../../rego/builtins/builtin.ts";
import type { Choices } from "./fuzz_random.ts";
import {
  BASE64,
  FORMATS,
  GLOB,
  HEX,
  JSONISH,
  JWTS,
  LAYOUTS,
  NETWORKS,
  QUERY,
  REGEX,
  TIMES,
  URIS,
  UUIDS,
  YAMLISH,
} from "./fuzz_samples.ts";
import {
  arrayText,
  numberText,
  objectText,
  plainString,
  quote,
  setText,
  stringText,
  valueText,
} from "./fuzz_values.ts";

type Make = (c: Choices) => string;

/** One of several makers. */
const anyOf = (...makers: Make[]): Make => (c) => c.pick(makers)(c);
const oneOf = (...texts: string[]): Make => (c) => c.pick(texts);
const quoted = (...texts: string[]): Make => (c) => quote(c.pick(texts));
const array = (item: Make, min = 0, max = 4): Make => (c) => arrayText(c, item, min, max);
const set = (item: Make): Make => (c) => setText(c, item);
const list = (item: Make): Make => anyOf(array(item), set(item));
const object = (value: Make): Make => (c) => objectText(c, value);
const value: Make = (c) => valueText(c, 2);
/** Pieces one after the other, as a string. */
const pieces = (from: readonly string[], min: number, max: number): Make => (c) =>
  quote(c.some(min, max, () => c.pick(from)).join(""));

const small = oneOf("0", "1", "2", "3", "5", "10", "-1", "-3", "2.5", "20");
const index = oneOf("0", "1", "2", "3", "-1", "-2", "100", "1.0", "1.5");
const names = quoted("a", "b", "c", "a/b", "0", "/a", "a~1b", "~0", "");
const path = anyOf(names, array(anyOf(names, index), 0, 3), pieces(["a", "b", "0", "-", "/", "/", "~1", "~0"], 0, 5));
const document = anyOf(object(value), object((c) => objectText(c, value)), array(value));

const patch: Make = (c) => {
  const at = () => anyOf(pieces(["/a", "/b", "/0", "/1", "/-", "/c", ""], 0, 3), array(anyOf(names, index), 0, 2))(c);
  const op = c.pick(["add", "remove", "replace", "move", "copy", "test", "test", "bad"]);
  const members = [`"op": ${quote(op)}`];
  if (!c.chance(0.05)) members.push(`"path": ${at()}`);
  if (c.chance(op === "move" || op === "copy" ? 0.9 : 0.1)) members.push(`"from": ${at()}`);
  if (c.chance(op === "add" || op === "replace" || op === "test" ? 0.9 : 0.1)) members.push(`"value": ${value(c)}`);
  return `{${members}}`;
};

const regex = anyOf(pieces(REGEX, 1, 3), pieces(REGEX, 1, 2), quoted("^a", "a(b)?c", "(a+)(b+)?", "", "a|ab", "x*"));
const subject = anyOf(pieces(["a", "b", "c", "ab", " ", "1", "é", "日", "A", "\n", "."], 0, 8), stringText);

const glob = pieces(GLOB, 0, 5);
const globSubject = pieces(["a", "b", "c", ".", "/", ":", "é", "*", "-", ""], 0, 6);

const cidr = quoted(...NETWORKS);
const cidrs = anyOf(
  cidr,
  array(cidr),
  set(cidr),
  array(anyOf(cidr, array(cidr, 1, 2))),
  object(anyOf(cidr, array(cidr))),
);

const units = (c: Choices): string =>
  quote(
    c.pick([
      "1",
      "10",
      "1.5",
      "0.1",
      "-1",
      "1e3",
      ".5",
      "5.",
      "",
      "1_0",
      "1/2",
      "0x10",
      "+1",
      "999999999999999999999",
      "1.123456789",
    ]) +
      c.pick([
        "",
        "K",
        "Ki",
        "M",
        "Mi",
        "G",
        "Gi",
        "T",
        "Ti",
        "P",
        "Pi",
        "E",
        "Ei",
        "m",
        "k",
        "kb",
        "KB",
        "kib",
        "MiB",
        "B",
        " K",
        "x",
        "mb",
        "e",
        "KK",
      ]),
  );
const semver = (c: Choices): string =>
  quote(
    c.pick(["", "", "", "v"]) +
      c.pick(["1.2.3", "1.2.10", "0.0.0", "1.2", "01.2.3", "1.2.3.4", "9999999999999999999.0.0", "1.02.3", "-1.2.3"]) +
      c.pick(["", "", "-a", "-a.1", "-rc.1", "-rc.10", "-01", "-", "-a..b", "-é"]) +
      c.pick(["", "", "+b", "+b.2", "+", "+é"]),
  );

const nanoseconds = oneOf(
  "0",
  "1",
  "-1",
  "1709208000123456789",
  "-62135596800000000000",
  "253402300799000000000",
  "1e18",
  "1.5",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775808",
  "1700000000000000000",
  "951782400000000000",
);
const zone = quoted(
  "UTC",
  "",
  "America/New_York",
  "Europe/Berlin",
  "Asia/Kolkata",
  "Nowhere/Else",
  "utc",
  "Australia/Lord_Howe",
);
const duration = quoted(
  "1h",
  "1.5h",
  "-1h30m",
  "1h1m1s1ms1us1ns",
  "1µs",
  "",
  "1",
  "h",
  "0",
  "1d",
  "9223372036854775807ns",
  "2562048h",
  "+5s",
  ".5s",
  "1.s",
  "1 h",
  "-.5m",
  "1h-1m",
);
const clock = anyOf(
  nanoseconds,
  (c) => `[${nanoseconds(c)}, ${zone(c)}]`,
  (c) => `[${nanoseconds(c)}, ${zone(c)}, ${quote(c.pick(LAYOUTS))}]`,
);

const graph = object(anyOf(array(names), set(names), oneOf("null", "1")));

/** Makers by the name of the builtin, or by a prefix of it that ends in "."; an undefined one goes by its type. */
const ARGUMENTS: Readonly<Record<string, readonly (Make | undefined)[]>> = {
  "numbers.range": [small, small],
  "numbers.range_step": [small, small, small],
  "bits.lsh": [undefined, oneOf("0", "1", "5", "63", "64", "100", "-1", "1.5")],
  "bits.rsh": [undefined, oneOf("0", "1", "5", "63", "64", "100", "-1", "1.5")],
  "format_int": [undefined, oneOf("2", "8", "10", "16", "3", "0")],
  "to_number": [
    anyOf(
      quoted(
        "1",
        "1.0",
        "1e3",
        "-0",
        "0x10",
        "1_0",
        " 1",
        "",
        "abc",
        "Infinity",
        "NaN",
        ".5",
        "5.",
        "+1",
        "1e400",
        "01",
        "-",
        "1E+2",
        "inf",
        "0b1",
        "1e-400",
      ),
      value,
    ),
  ],
  "substring": [undefined, index, anyOf(index, oneOf("-1"))],
  "indexof": [subject, quoted("a", "b", "", "é", "ab", "日")],
  "indexof_n": [subject, quoted("a", "b", "", "é", "ab", "日")],
  "split": [subject, quoted("", "a", ",", "é", "ab", " ")],
  "strings.split_n": [subject, quoted("", "a", ",", "é"), index],
  "replace": [subject, quoted("", "a", "é", "ab"), quoted("", "x", "aa")],
  "strings.replace_n": [object(anyOf(stringText, numberText)), subject],
  "strings.count": [subject, quoted("", "a", "é", "aa")],
  "trim": [undefined, quoted("", "a", " ", "ab", "é", "\t\n ")],
  "trim_left": [undefined, quoted("", "a", " ", "ab", "é")],
  "trim_right": [undefined, quoted("", "a", " ", "ab", "é")],
  "trim_prefix": [subject, quoted("", "a", "ab", "é")],
  "trim_suffix": [subject, quoted("", "a", "ab", "é")],
  "strings.any_prefix_match": [anyOf(stringText, list(stringText)), anyOf(quoted("", "a"), list(quoted("a", "b", "")))],
  "strings.any_suffix_match": [anyOf(stringText, list(stringText)), anyOf(quoted("", "a"), list(quoted("a", "b", "")))],
  "concat": [quoted("", ",", "é"), list(anyOf(stringText, stringText, value))],
  "sprintf": [anyOf(pieces(FORMATS, 1, 1), pieces(FORMATS, 1, 3)), array(value, 0, 3)],
  "regex.match": [regex, subject],
  "regex.is_valid": [regex],
  "regex.split": [regex, subject],
  "regex.find_n": [regex, subject, oneOf("-1", "0", "1", "2", "1.5")],
  "regex.find_all_string_submatch_n": [regex, subject, oneOf("-1", "0", "1", "2")],
  "regex.replace": [subject, regex, quoted("x", "$0", "${1}", "$1y", "$n", "${n}", "$$", "$", "\\1", "$10", "${", "")],
  "regex.template_match": [
    pieces(["{", "}", "a", "[a-c]+", "{a}", "urn:", ".*", "{.*}"], 1, 4),
    subject,
    quoted("{", "<", "", "é", "{{"),
    quoted("}", ">", "é"),
  ],
  "regex.globs_match": [
    pieces(["a", "b", ".", "[a-c]", "a+", "b*", "[^a]", ".*", "\\.", "x?", "[", "+"], 0, 4),
    pieces(["a", "b", ".", "[a-c]", "a+", "b*", ".*"], 0, 4),
  ],
  "glob.match": [
    glob,
    anyOf(oneOf("null", "[]"), array(quoted(".", "/", ":", "é", "ab", "")), oneOf('["."]', '["/"]')),
    globSubject,
  ],
  "glob.quote_meta": [glob],
  "net.": [cidrs, cidrs],
  "net.cidr_expand": [
    quoted("10.0.0.0/28", "10.0.0.1/30", "::1/126", "a", "10.0.0.1", "fe80::/124", "1.2.3.4/32", "10.0.0.0/33"),
  ],
  "net.cidr_merge": [anyOf(array(cidr), set(cidr))],
  "net.cidr_contains": [cidr, cidr],
  "net.cidr_intersects": [cidr, cidr],
  "net.cidr_is_valid": [cidr],
  "units.": [units],
  "semver.": [semver, semver],
  "time.date": [clock],
  "time.clock": [clock],
  "time.weekday": [clock],
  "time.format": [clock],
  "time.diff": [clock, clock],
  "time.add_date": [nanoseconds, small, small, anyOf(small, oneOf("400", "100000"))],
  "time.parse_ns": [anyOf((c) => quote(c.pick(LAYOUTS))), (c) => quote(c.pick(TIMES))],
  "time.parse_rfc3339_ns": [(c) => quote(c.pick(TIMES))],
  "time.parse_duration_ns": [duration],
  "json.unmarshal": [quoted(...JSONISH)],
  "json.is_valid": [quoted(...JSONISH)],
  "json.marshal_with_options": [
    value,
    (c) =>
      `{${
        c.some(
          0,
          3,
          () =>
            c.pick(['"pretty": true', '"pretty": false', '"indent": " "', '"prefix": "> "', '"indent": 1', '"x": 1']),
        )
      }}`,
  ],
  "json.patch": [document, array(patch, 0, 3)],
  "json.filter": [document, list(path)],
  "json.remove": [document, list(path)],
  "yaml.unmarshal": [quoted(...YAMLISH)],
  "yaml.is_valid": [quoted(...YAMLISH, ...JSONISH)],
  "yaml.marshal": [(c) => valueText(c, 3)],
  "base64.": [quoted(...BASE64)],
  "base64url.": [quoted(...BASE64)],
  "base64.encode": [stringText],
  "base64url.encode": [stringText],
  "base64url.encode_no_pad": [stringText],
  "hex.decode": [quoted(...HEX)],
  "urlquery.decode": [anyOf(quoted(...QUERY), stringText)],
  "urlquery.decode_object": [quoted(...QUERY)],
  "urlquery.encode_object": [object(anyOf(stringText, array(stringText), set(stringText), value))],
  "uri.": [quoted(...URIS)],
  "uuid.parse": [quoted(...UUIDS)],
  "io.jwt.decode": [quoted(...JWTS)],
  "io.jwt.verify_hs256": [quoted(...JWTS), stringText],
  "io.jwt.verify_hs384": [quoted(...JWTS), stringText],
  "io.jwt.verify_hs512": [quoted(...JWTS), stringText],
  "io.jwt.verify_": [quoted(...JWTS), stringText],
  "io.jwt.decode_verify": [
    quoted(...JWTS),
    (c) =>
      `{${
        c.some(0, 3, () =>
          c.pick([
            '"secret": "x"',
            '"alg": "HS256"',
            '"iss": "a"',
            '"aud": "b"',
            '"time": 1',
            '"cert": "x"',
            '"zz": 1',
          ]))
      }}`,
  ],
  "object.get": [document, anyOf(names, array(anyOf(names, index))), value],
  "object.filter": [object(value), anyOf(list(names), object(value))],
  "object.remove": [object(value), anyOf(list(names), object(value))],
  "object.subset": [anyOf(object(value), list(small)), anyOf(object(value), list(small))],
  "object.union": [object(anyOf(value, object(value))), object(anyOf(value, object(value)))],
  "object.union_n": [array(object(anyOf(value, object(value))))],
  "graph.reachable": [graph, anyOf(list(names), value)],
  "graph.reachable_paths": [graph, anyOf(list(names), value)],
  "array.slice": [array(value), index, index],
  "array.flatten": [array(anyOf(value, array(value)))],
  "union": [set(set(value))],
  "intersection": [set(set(value))],
  "sum": [list(numberText)],
  "product": [list(numberText)],
  "crypto.hmac.equal": [stringText, stringText],
};

/** Texts of the arguments for one call; `wrong` is the share of those that are just any value. */
export function makeArguments(c: Choices, { name, args }: Builtin, wrong: number): string[] {
  const makers = ARGUMENTS[name] ??
    Object.entries(ARGUMENTS).find(([key]) => /[._]$/.test(key) && name.startsWith(key))?.[1] ?? [];
  return args.map((type, i) => {
    // Now and then anything: what is wrong has to fail as it does in OPA.
    if (c.chance(wrong)) return value(c);
    return (makers[i] ?? ((inner) => ofType(inner, type)))(c);
  });
}

function ofType(c: Choices, type: Type): string {
  switch (type.kind) {
    case "number":
      return numberText(c);
    case "string":
      return quote(plainString(c));
    case "boolean":
      return c.pick(["true", "false"]);
    case "null":
      return "null";
    case "array":
      return arrayText(c, (inner) => type.rest ? ofType(inner, type.rest) : value(inner));
    case "set":
      return setText(c, (inner) => type.of ? ofType(inner, type.of) : value(inner));
    case "object":
      return objectText(c, value);
    case "or":
      return ofType(c, c.pick(type.of));
    case "any":
      return value(c);
  }
}
