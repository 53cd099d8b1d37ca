// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { parseAlternativeNames } from "./subject_alternative_name.ts";

Deno.test("parseAlternativeNames() tells names, addresses and SPIFFE IDs apart, and drops doubles", () => {
  const texts = [
    "podvm-server",
    "PODVM-server",
    "*.Example.com",
    "a_b.xn--bcher-kva.example",
    "10.0.0.1",
    "2001:DB8:0::1",
    "2001:db8::1",
    "spiffe://example.org/ns/Default/sa/web_1",
  ];
  assert.deepEqual(parseAlternativeNames(texts), [
    { type: "dns", value: "podvm-server" },
    { type: "dns", value: "*.example.com" },
    { type: "dns", value: "a_b.xn--bcher-kva.example" },
    { type: "ip", value: "10.0.0.1" },
    { type: "ip", value: "2001:db8::1" },
    { type: "uri", value: "spiffe://example.org/ns/Default/sa/web_1" },
  ]);
  const long = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
  assert.equal(parseAlternativeNames([long])[0]?.value.length, 253);
});

Deno.test("parseAlternativeNames() refuses what is no DNS name and no address", () => {
  const cases: Array<[string, RegExp]> = [
    ["", /it is empty/],
    ["a b", /no DNS label/],
    ["a..b", /empty label/],
    [".a", /empty label/],
    ["a.", /ends with a dot/],
    ["-a", /no DNS label/],
    ["a-", /no DNS label/],
    ["*", /"\*" can only stand/],
    ["a.*.b", /"\*" can only stand/],
    ["*a.b", /"\*" can only stand/],
    ["*.*.b", /"\*" can only stand/],
    ["x".repeat(64), /more than 63/],
    [`${"a.".repeat(127)}b`, /255 characters, limit 253/],
    ["256.1.1.1", /no IPv4 address/],
    ["1.2.3", /no IPv4 address/],
    ["[::1]", /no IPv6 address/],
    ["host:80", /no IPv6 address and no DNS name/],
    ["fe80::1%eth0", /cannot name a zone/],
    ["bücher.example", /punycode/],
    ["a/b", /no DNS label/],
    ["a\u0000b", /no DNS label/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseAlternativeNames([text]), { kind: "usage", message });
  assert.throws(() => parseAlternativeNames(["bücher.example"]), { hint: 'write it as "xn--bcher-kva.example"' });
  assert.throws(() => parseAlternativeNames(Array.from({ length: 101 }, (_, i) => `n${i}`)), { message: /limit 100/ });
});

Deno.test("parseAlternativeNames() keeps to the rules of the SPIFFE-ID standard", () => {
  const longest = `spiffe://example.org/${"a".repeat(2048 - 21)}`;
  for (const id of ["spiffe://example.org", "spiffe://1.2-a_b/x", "spiffe://e/A-z.0_9/..a", longest]) {
    assert.deepEqual(parseAlternativeNames([id]), [{ type: "uri", value: id }]);
  }
  const cases: Array<[string, RegExp]> = [
    ["https://example.org/a", /only URIs taken are SPIFFE IDs/],
    ["SPIFFE://example.org/a", /whose scheme is spiffe/],
    ["spiffe://", /trust domain is missing/],
    ["spiffe:///a", /trust domain is missing/],
    ["spiffe://Example.org/a", /trust domain may hold/],
    ["spiffe://example.org:80/a", /no port/],
    ["spiffe://user@example.org/a", /no user/],
    ["spiffe://example.org/a?b", /no query/],
    ["spiffe://example.org/a#b", /no fragment/],
    ["spiffe://example.org/", /empty segment or ends with a slash/],
    ["spiffe://example.org/a//b", /empty segment/],
    ["spiffe://example.org/a/", /ends with a slash/],
    ["spiffe://example.org/./a", /segment "\."/],
    ["spiffe://example.org/a/..", /segment "\.\."/],
    ["spiffe://example.org/%41", /path may hold/],
    ["spiffe://example.org/é", /path may hold/],
    [`spiffe://${"a".repeat(256)}/a`, /more than 255 bytes/],
    [`${longest}a`, /more than 2048 bytes/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseAlternativeNames([text]), { kind: "usage", message });
  assert.throws(() => parseAlternativeNames(["spiffe://a/b", "spiffe://a/c"]), { message: /at most one SPIFFE ID/ });
});
