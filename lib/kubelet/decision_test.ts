// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { objectOf, setOf, type Value } from "../rego/values.ts";
import { decide, type Fallback } from "./decision.ts";

const QUERY = "data.p.deny";
const outcome = (value: Value | undefined, fallback: Fallback) => {
  try {
    const verdict = decide(value, fallback, QUERY);
    return verdict.allowed ? "allow" : verdict.status === 403 ? "deny" : "error";
  } catch {
    return "error";
  }
};

Deno.test("decide() can be turned around by no value and no setting", () => {
  const table: [name: string, value: Value | undefined, whenAllow: string, whenDeny: string][] = [
    ["true", true, "deny", "allow"],
    ["false", false, "allow", "deny"],
    ["undefined", undefined, "allow", "deny"],
    ["an empty set", setOf([]), "allow", "error"],
    ["an empty object", objectOf([]), "allow", "error"],
    ["a set", setOf(["x"]), "deny", "error"],
    ["a set of false", setOf([false]), "deny", "error"],
    ["an object", objectOf([["x", false]]), "deny", "error"],
    ["null", null, "error", "error"],
    ["0", 0, "error", "error"],
    ["1", 1, "error", "error"],
    ["a text", "true", "error", "error"],
    ["an empty text", "", "error", "error"],
    ["an array", ["x"], "error", "error"],
    ["an empty array", [], "error", "error"],
  ];
  for (const [name, value, whenAllow, whenDeny] of table) {
    assert.deepEqual([outcome(value, "allow"), outcome(value, "deny")], [whenAllow, whenDeny], name);
  }
});

Deno.test("decide() gives the policy's reasons", () => {
  const reason = (value: Value) => {
    const verdict = decide(value, "allow", QUERY);
    return verdict.allowed || verdict.status !== 403 ? undefined : verdict.reason;
  };
  assert.equal(reason(setOf(["b", "a"])), "a; b");
  assert.equal(reason(setOf([objectOf([["msg", "no shells"]])])), "no shells");
  assert.equal(reason(objectOf([["reason", "not here"]])), "not here");
  assert.equal(reason(objectOf([["not now", true], ["not ever", 1]])), "not ever; not now");
  assert.equal(reason(true), QUERY);
  assert.equal(reason(setOf([7])), QUERY);
});

Deno.test("decide() lets no reason break a line or grow without end", () => {
  const verdict = decide(setOf([`a\r\nSet-Cookie: x\x1b[31m${"y".repeat(5000)}`]), "allow", QUERY);
  assert.ok(!verdict.allowed && verdict.status === 403);
  assert.match(verdict.reason, /^a Set-Cookie: x \[31my+…$/);
  assert.ok(verdict.reason.length < 1100);
});
