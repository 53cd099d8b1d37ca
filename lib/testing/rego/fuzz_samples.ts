// SPDX-License-Identifier: Apache-2.0
/** Texts in the languages that builtins read, right and wrong: what random arguments are picked from or put together of. */

// deno-fmt-ignore
export const REGEX = [
  "a", "b", "ab", ".", "a*", "b+?", "(a)", "(?:b|c)", "(?P<n>a+)", "(?<m>b)", "[a-c]", "[^a]", "[[:alpha:]]", "\\d",
  "\\w+", "\\s", "\\b", "^", "$", "|", "?", "{2}", "{1,3}", "(?i)", "(?s)", "\\pL", "\\p{Greek}", "é", "\\x61", "(",
  "[", "\\1", "(?=a)", "\\z", "\\Q.\\E", "日", "{,2}", "a**", "\\C", "(?U)a+",
] as const;

// deno-fmt-ignore
export const GLOB = [
  "*", "**", "?", "a", "b", ".", "/", "[a-c]", "[!a]", "{a,b}", "{a,{b,c}}", "\\*", "[", "}", ":", "é", ",", "[^a]",
  "{", "]", "-",
] as const;

// deno-fmt-ignore
export const FORMATS = [
  "%d", "%s", "%v", "%x", "%X", "%o", "%b", "%c", "%q", "%e", "%f", "%g", "%G", "%E", "%t", "%%", "%5d", "%-5d|",
  "%05d", "%+d", "% d", "%#x", "%#v", "%+v", "%T", "%U", "%p", "%.2f", "%8.3f", "%-8.2f|", "%.3s", "%5s", "%-5s|",
  "%*d", "%[2]v", "%[1]d", "%[5]v", "%!", "%", "%z", "%6.2e", "%.0f", "%.10g", "%#o", "%O", "%08.3f", "%+q", "%#q",
  "% x", "%.1v", "%3c", "%[2]*[1]d", "%x %X", " ", "a", "é", "%5t", "%05s", "%+.2f", "%-05d", "%.d", "%5%",
] as const;

// deno-fmt-ignore
export const LAYOUTS = [
  "2006-01-02T15:04:05Z07:00", "RFC3339", "RFC1123", "ANSIC", "RFC822Z", "RFC850", "Kitchen", "2006-01-02",
  "Jan _2 2006", "02/01/06 03:04PM", "Monday", "15:04:05.000", "15:04:05.999999999", "15:04:05,000", "2006-002",
  "__2", "MST -0700", "Z0700 -07:00:00", "3:4:5pm", "x", "", "DateTime", "DateOnly", "StampMicro", "RFC3339Nano",
  "2 1 2006 .00", "January Mon", "-07",
] as const;

// deno-fmt-ignore
export const TIMES = [
  "2024-02-29T12:34:56Z", "2024-02-29T12:34:56.123456789+01:30", "2023-02-29T00:00:00Z",
  "1969-12-31T23:59:59.5-07:00", "2024-02-29", "Mon, 02 Jan 2006 15:04:05 MST", "Mon Jan  2 15:04:05 2006", "3:04PM",
  "12:34:56.789", "2024-060", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2262-04-12T00:00:00Z",
  "1677-09-21T00:12:43Z", "2024-02-29t12:34:56z", "2024-2-9", "", "x", "Feb  9 2024", "29/02/24 01:02PM",
  "2024-02-29 12:34:56", "2024-12-31T24:00:00Z", "2016-12-31T23:59:60Z", "Saturday", "02 Jan 06 15:04 -0700",
] as const;

// deno-fmt-ignore
export const JSONISH = [
  '{"a":1}', "[1, 2.0, 1e3]", "null", '"x"', "", "{", '{"a":1,"a":2}', "[1,]", " 1 ", "1 2", "01", "-0", "1e400",
  "nan", '"\\ud800"', '"\\u00e9"', "tru", "123456789012345678901234567890", '{"b":{"c":[]}}', "\ufeff1", "[[[]]]",
  "'a'", "1.", '"\t"', "{}x",
] as const;

// deno-fmt-ignore
export const YAMLISH = [
  "a: 1", "[1, 2.0]", "- x\n- null", "a: b: c", "yes", "1e3", "%d", "a: &x 1\nb: *x", "{a: 1", "",
  "---\na: 1\n---\nb: 2", "~", "'it''s'", "|\n  x\n  y\n", ">-\n  x\n  y", "a: !!str 1", "0x10", "0o7", "010",
  "1_000", "2024-02-29", ".inf", "? a\n: b", "a:\n  - b\n  -c", "\tx", "a: 1\na: 2", "!!binary aGk=", "on: off",
  "- - 1\n  - 2", "a: {b: [c, d]}", "# c\nx: 1 # d", "*x", "<<: {a: 1}\nb: 2", "@x", "`x", "1:30", "+1", "-0", "1.0",
  "No", '"\\x41\\u00e9"', "- ", "a:", "&a [*a]", "[a, b", "- a: 1\n  b: 2", "'a", '"a\nb"', "a: 'x\n  y'", "null: 1",
  "1: 2", "true: x", "[]: 1", "1.5: a", "{}", ".nan", "-.INF", "0b11", "12e03", "a: |+\n  x\n\n",
] as const;

// deno-fmt-ignore
export const BASE64 = [
  "aGVsbG8=", "aGVsbG8", "_-8=", "+/8=", "_-8", "YQ==", "YQ", "Y Q==", "YQ\n==", "Y", "====", "", "é", "YWI=", "YWJj",
  "YR==",
] as const;

export const HEX = ["68656c6c6f", "6", "", "AB", "zz", "ff", "0x10", "e9", "c3a9"] as const;

// deno-fmt-ignore
export const QUERY = [
  "a=1&b=2", "a=1&a=2", "a", "=1", "a=%zz", "a=%20+b", "é=日", "", "&", "a;b", "a=1;b=2", "%61=%62", "a==b", "a=b=c",
] as const;

// deno-fmt-ignore
export const URIS = [
  "https://u:p@h.example:8080/p%20q?a=1#f", "a/b", "//h/p", "mailto:x@y", "http://[::1]:80/", "http://[::1",
  "http://h:x/", "", "%zz", "/p?q#", ":", "a:b:c", "HTTP://H/%2f", "http://h/\u00e9", "1a:b", "http://h\n/",
  "file:///x", "http://u@h", "?q", "#f", "http://h/a b", "urn:isbn:1",
] as const;

// deno-fmt-ignore
export const UUIDS = [
  "00000000-0000-0000-0000-000000000000", "f47ac10b-58cc-4372-a567-0e02b2c3d479",
  "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "urn:uuid:f47ac10b-58cc-4372-a567-0e02b2c3d479",
  "{f47ac10b-58cc-4372-a567-0e02b2c3d479}", "f47ac10b58cc4372a5670e02b2c3d479",
  "F47AC10B-58CC-4372-A567-0E02B2C3D479", "x", "", "000003e8-cb46-21ea-b100-0242ac130003",
  "f47ac10b-58cc-4372-a567-0e02b2c3d47", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
] as const;

// deno-fmt-ignore
export const JWTS = [
  "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "a.b", "", "eyJ0eXAiOiJKV1QifQ.W10.",
  "eyJhbGciOiJIUzI1NiIsImN0eSI6IkpXVCJ9.e30.YQ", "e30.e30.e30", "eyJhIjoxfQ.eyJhIjoxfQ.!",
] as const;

// deno-fmt-ignore
export const NETWORKS = [
  "10.0.0.0/8", "10.1.2.3/30", "10.0.0.1", "192.168.0.0/16", "::/0", "::1/126", "fe80::1", "2001:db8::/120",
  "1.2.3.4/33", "300.1.1.1/8", "10.0.0.0/31", "0.0.0.0/0", "10.0.0.0/032", "::ffff:1.2.3.4", "::ffff:1.2.3.4/120",
  "a", "", "10.0.0/8", "01.2.3.4", "fe80::1%eth0", "10.0.0.128/25", "10.0.0.0/25", "10.0.0.0/24", "1::2::3",
  "2001:db8::8000/113",
] as const;

/** What terms of policies and their documents are made of. */
// deno-fmt-ignore
export const NUMBERS = [
  "0", "1", "2", "3", "-1", "1.5", "10", "0.1", "100", "1.0", "7", "-2.25", "9007199254740993",
  "12345678901234567890", "-0.5", "1e3", "1e-7", "123456789012345678901234567890.5",
] as const;

// deno-fmt-ignore
export const STRINGS = [
  "a", "b", "c", "", "ab", "a,b", "Zz", "é", "1", "/x/y", "x y", "%d", "10.0.0.0/8", "a.b.c", "日本", "𝒳y", "\n", "<&>",
  "{}",
];
