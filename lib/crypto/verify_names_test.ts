// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import type { FoundName } from "./certificates_names.ts";
import { parseAlternativeNames } from "./subject_alternative_name.ts";
import { isForName } from "./verify_names.ts";

const isFor = (found: FoundName, name: string) => isForName([found], parseAlternativeNames([name])[0]!);

Deno.test("isForName() compares DNS names without case, and a wildcard with exactly one label", () => {
  const cases: Array<[string, string, boolean]> = [
    ["podvm-server", "podvm-server", true],
    ["PodVM-Server", "podvm-server", true],
    ["podvm-server", "podvm-server2", false],
    ["*.example.com", "a.example.com", true],
    ["*.example.com", "a.b.example.com", false],
    ["*.example.com", "example.com", false],
    ["*.example.com", "a_b.example.com", false],
    ["*.com", "example.com", false],
    ["*", "example", false],
    ["a*.example.com", "ab.example.com", false],
    ["a.*.example.com", "a.b.example.com", false],
    ["*.*.example.com", "a.b.example.com", false],
    ["*.a_b.example", "c.a_b.example", false],
    ["podvm-server.", "podvm-server", false],
    ["podvm-server\0.example.com", "podvm-server", false],
    ["", "podvm-server", false],
  ];
  for (const [value, name, expected] of cases) {
    assert.equal(isFor({ type: "dns", value }, name), expected, `${JSON.stringify(value)} for ${name}`);
  }
});

Deno.test("isForName() compares addresses by value and URIs by their letters, each only with its own kind", () => {
  assert.ok(isFor({ type: "ip", value: "10.0.0.7" }, "10.0.0.7"));
  assert.ok(isFor({ type: "ip", value: "2001:db8:0:0:0:0:0:7" }, "2001:DB8::7"));
  assert.ok(!isFor({ type: "ip", value: "10.0.0.7" }, "10.0.0.8"));
  assert.ok(!isFor({ type: "ip", value: "::ffff:10.0.0.7" }, "10.0.0.7"));
  assert.ok(!isFor({ type: "dns", value: "10.0.0.7" }, "10.0.0.7"));
  assert.ok(isFor({ type: "uri", value: "spiffe://example.org/a" }, "spiffe://example.org/a"));
  assert.ok(!isFor({ type: "uri", value: "spiffe://example.org/A" }, "spiffe://example.org/a"));
  assert.ok(!isFor({ type: "email", value: "podvm-server" }, "podvm-server"));
});
