// SPDX-License-Identifier: Apache-2.0
/** Turns what a policy answers into allow or deny, in a way that no setting can turn around. */

import { RegoObject, RegoSet, type Value } from "../rego/values.ts";
import type { RequestFacts } from "./request_facts.ts";

/** What holds when the policy says nothing: with "allow" it lists what is denied, with "deny" what is allowed. */
export type Fallback = "allow" | "deny";

/** `rule` names what decided: a query, a route or a denied path. */
export type Verdict =
  | { readonly allowed: true; readonly rule: string }
  | { readonly allowed: false; readonly status: 403; readonly reason: string; readonly rule: string }
  | { readonly allowed: false; readonly status: 500; readonly rule: string; readonly error: unknown };

/** Judges one request; never throws, and what it cannot judge it denies. */
export type Judge = (facts: RequestFacts) => Verdict;

/** Longest reason sent to a client, in UTF-16 units. */
const MAX_REASON = 1_000;

/** Most reasons put into one. */
const MAX_REASONS = 10;

/**
 * Reads the value of `query`.
 *
 * @throws {TypeError} for a value of another type than the fallback knows.
 */
export function decide(value: Value | undefined, fallback: Fallback, query: string): Verdict {
  if (fallback === "deny") {
    if (value === true) return { allowed: true, rule: query };
    if (value === false || value === undefined) return deny(query, `${query} does not allow it`);
    throw new TypeError(`${query} must be true or false, it is ${typeOf(value)}`);
  }
  if (value === undefined || value === false) return { allowed: true, rule: query };
  if (value === true) return deny(query, query);
  if (value instanceof RegoSet) {
    return value.size === 0 ? { allowed: true, rule: query } : deny(query, joined(value.values()) || query);
  }
  if (value instanceof RegoObject) {
    return value.size === 0 ? { allowed: true, rule: query } : deny(query, reasonOfObject(value) || query);
  }
  throw new TypeError(`${query} must be true, false, a set or an object, it is ${typeOf(value)}`);
}

function deny(rule: string, reason: string): Verdict {
  return { allowed: false, status: 403, reason, rule };
}

/** The members that are texts, or objects with a text called `msg`, as conftest has them. */
function joined(members: readonly Value[]): string {
  const texts = members.map((member) => member instanceof RegoObject ? member.get("msg") : member);
  return cleaned(texts.filter((text) => typeof text === "string").slice(0, MAX_REASONS).join("; "));
}

/** A single reason called `msg` or `reason`; else the object's keys are the reasons. */
function reasonOfObject(object: RegoObject): string {
  const text = object.get("msg") ?? object.get("reason");
  return typeof text === "string" ? cleaned(text) : joined(object.keys());
}

/** One line of printable text: a policy may put parts of the request into its reason. */
function cleaned(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is replaced.
  const line = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim();
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON)}…` : line;
}

function typeOf(value: Value): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return `a ${
    typeof value === "object" ? value.constructor.name.replace(/^Rego|^Big/, "").toLowerCase() : typeof value
  }`;
}
