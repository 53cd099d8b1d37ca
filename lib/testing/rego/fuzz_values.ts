// SPDX-License-Identifier: Apache-2.0
/** Makes random Rego values as text, from the edges of each type. */

import type { Choices } from "./fuzz_random.ts";

const NUMBERS = [
  "0",
  "1",
  "-1",
  "2",
  "3",
  "5",
  "7",
  "8",
  "10",
  "16",
  "36",
  "37",
  "64",
  "100",
  "-2",
  "-7",
  "0.5",
  "-0.5",
  "1.5",
  "2.5",
  "-2.5",
  "0.1",
  "1.0",
  "100.0",
  "1e3",
  "1E+2",
  "2e-3",
  "1e21",
  "1e-7",
  "3.14159",
  "123456.789",
  "9007199254740991",
  "9007199254740993",
  "-9007199254740993",
  "4294967296",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "18446744073709551616",
  "123456789012345678901234567890",
  "1e308",
  "0.30000000000000004",
  "1700000000000000000",
  "1709208000123456789",
] as const;

const STRINGS = [
  "",
  " ",
  "a",
  "b",
  "ab",
  "abc",
  "A",
  "Zz",
  "aAbB",
  "1",
  "0",
  "-1",
  "1.5",
  "true",
  "null",
  "a,b,c",
  "a.b.c",
  "/a/b/",
  "a b",
  "é",
  "日本語",
  "𝒳y",
  "ß",
  "ǅ",
  "İı",
  "ſ",
  "\u0000",
  "\t a \n",
  "\u00a0x\u2003",
  "%",
  "%d",
  "%v %s",
  "\\",
  '"',
  "'",
  "<&>",
  "a\u0301",
  "ﬀ",
  "{}",
  "[1,2]",
  '{"a": 1}',
  "10.0.0.1",
  "10.0.0.0/8",
  "::1",
  "aGVsbG8=",
  "68656c6c6f",
  "a=1&b=2",
  "https://u:p@h.example:8080/p%20q?a=1#f",
  "2024-02-29T12:34:56.789Z",
  "1.2.3",
  "aaaa",
  "xaxbx",
  "\u2028",
  "\ufffd",
] as const;

/** Characters that strings are put together from. */
const CHARACTERS = [..."abcABC012 .,/-_:%\\\"'{}[]()*?+^$|&=~é日𝒳\n\t"];

/** A number, as it stands in policy text. */
export function numberText(c: Choices): string {
  return c.chance(0.7)
    ? c.pick(NUMBERS)
    : c.chance(0.5)
    ? String(c.below(40) - 10)
    : `${c.below(2000) - 1000}.${c.below(100)}`;
}

/** A string, not quoted. */
export function plainString(c: Choices): string {
  return c.chance(0.7) ? c.pick(STRINGS) : c.some(0, 8, () => c.pick(CHARACTERS)).join("");
}

/** The text of a string in a policy. */
export function quote(text: string): string {
  return JSON.stringify(text);
}

export function stringText(c: Choices): string {
  return quote(plainString(c));
}

/** Any value; `depth` is how deep it may nest. */
export function valueText(c: Choices, depth: number): string {
  const scalar = () => c.pick([() => numberText(c), () => stringText(c), () => c.pick(["true", "false", "null"])])();
  if (depth <= 0 || c.chance(0.4)) return scalar();
  return c.pick([arrayText, setText, objectText])(c, (inner) => valueText(inner, depth - 1));
}

type Make = (c: Choices) => string;

export function arrayText(c: Choices, item: Make, min = 0, max = 4): string {
  return `[${c.some(min, max, () => item(c))}]`;
}

export function setText(c: Choices, item: Make): string {
  const items = c.some(0, 4, () => item(c));
  return items.length === 0 ? "set()" : `{${items}}`;
}

/** Keys are there once: of two that are equal OPA's reader of terms keeps both. */
export function objectText(c: Choices, value: Make): string {
  const members = new Map<string, string>();
  c.some(0, 4, () => {
    members.set(c.chance(0.8) ? quote(c.pick(["a", "b", "c", "", "é", "a/b", "0"])) : valueText(c, 1), value(c));
  });
  return `{${[...members].map(([key, member]) => `${key}: ${member}`)}}`;
}
