// SPDX-License-Identifier: Apache-2.0
/** semver.*: semantic versions (semver.org 2.0.0), with an optional leading "v". */

import type { Value } from "../values.ts";
import { anyType, booleanType, builtinError, family, numberType, stringType } from "./builtin.ts";
import { chargeText, stringOperand } from "./operands.ts";
import { quote } from "./text.ts";

export const semver = family(
  {
    name: "semver.is_valid",
    args: [anyType],
    result: booleanType,
    call(context, args) {
      const text = args[0] as Value;
      if (typeof text !== "string") return false;
      chargeText(context, text.length);
      return parse(text) !== undefined;
    },
  },
  {
    name: "semver.compare",
    args: [stringType, stringType],
    result: numberType,
    call(context, args) {
      const texts = [stringOperand(args, 1), stringOperand(args, 2)] as const;
      chargeText(context, texts[0].length + texts[1].length);
      const [a, b] = texts.map((text, index) => {
        const version = parse(text);
        if (!version) {
          throw builtinError(`operand ${index + 1}: string ${quote(text.slice(0, 100))} is not a valid SemVer`);
        }
        return version;
      }) as [Version, Version];
      for (const [index, number] of a.core.entries()) {
        const other = b.core[index] as bigint;
        if (number !== other) return number < other ? -1 : 1;
      }
      return comparePreRelease(a.preRelease, b.preRelease);
    },
  },
);

interface Version {
  readonly core: readonly bigint[];
  readonly preRelease: string;
}

const IDENTIFIERS = /^[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*$/;

/** Largest major, minor or patch number: OPA keeps them in 64 bits. */
const MAX_NUMBER = (1n << 63n) - 1n;

function parse(text: string): Version | undefined {
  const body = text.startsWith("v") ? text.slice(1) : text;
  const plus = body.indexOf("+");
  if (plus >= 0 && !IDENTIFIERS.test(body.slice(plus + 1))) return undefined;
  const version = plus < 0 ? body : body.slice(0, plus);
  const dash = version.indexOf("-");
  const preRelease = dash < 0 ? "" : version.slice(dash + 1);
  if (dash >= 0 && (!IDENTIFIERS.test(preRelease) || preRelease.split(".").some((id) => /^0\d+$/.test(id)))) {
    return undefined;
  }
  const parts = (dash < 0 ? version : version.slice(0, dash)).split(".");
  if (parts.length !== 3 || !parts.every((part) => /^(?:0|[1-9]\d{0,18})$/.test(part))) return undefined;
  const core = parts.map(BigInt);
  return core.every((number) => number <= MAX_NUMBER) ? { core, preRelease } : undefined;
}

function comparePreRelease(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? 1 : -1;
  const left = a.split(".");
  const right = b.split(".");
  for (let index = 0; index < left.length && index < right.length; index++) {
    const order = compareIdentifiers(left[index] as string, right[index] as string);
    if (order !== 0) return order;
  }
  return left.length < right.length ? -1 : 1;
}

/** Numbers come before words and go by their value. */
function compareIdentifiers(a: string, b: string): number {
  const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  if (a === b) return 0;
  if (numeric[0] && a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a < b ? -1 : 1;
}
