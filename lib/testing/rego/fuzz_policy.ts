// SPDX-License-Identifier: Apache-2.0
/** Makes random small policies with documents to ask them about, in parts that can be left out one by one. */

import { makeExpression } from "./fuzz_expressions.ts";
import { type Choices, createChoices } from "./fuzz_random.ts";
import { NUMBERS, STRINGS } from "./fuzz_samples.ts";
import { type KnownRule, makeTerm, type Scope, type TermType, withoutUnused } from "./fuzz_terms.ts";

/** One `head if { body }`; an else belongs to the clause before it. */
export interface Clause {
  readonly head: string;
  readonly body: readonly string[];
  readonly isElse: boolean;
}

export interface FuzzPair {
  readonly clauses: readonly Clause[];
  /** JSON texts by member name; undefined: no input at all. */
  readonly input: Readonly<Record<string, string>> | undefined;
  /** Members of data.d. */
  readonly data: Readonly<Record<string, string>>;
  readonly query: string;
  readonly strict: boolean;
}

/** Deepest nesting of a term. */
const MAX_DEPTH = 2;

export function makePair(seed: number): FuzzPair {
  const c = createChoices(seed);
  const rules: KnownRule[] = [];
  const clauses: Clause[] = [];
  for (let i = 0, n = 1 + c.below(4); i < n; i++) {
    const { known, made } = makeRule(c, rules, i);
    rules.push(known);
    clauses.push(...made);
  }
  const asked = c.pick(rules.filter(({ kind }) => kind !== "function").concat({ ...rules[0]!, name: "" }));
  const isWhole = c.chance(0.4) || asked.name === "";
  return {
    clauses,
    input: c.chance(0.03) ? undefined : makeDocument(c),
    data: makeDocument(c),
    query: isWhole ? "data.fuzz = x" : `data.fuzz.${asked.name} = x`,
    strict: c.chance(0.1),
  };
}

/** The texts to give to an evaluator. */
export function renderPair(pair: FuzzPair): { policy: string; data: string; input: string | undefined } {
  const clauses = pair.clauses.map(({ head, body, isElse }) => {
    const text = body.length === 0 ? head : `${head} if {\n${body.map((line) => `\t${line}`).join("\n")}\n}`;
    return isElse ? ` ${text}` : `\n\n${text}`;
  });
  return {
    policy: `package fuzz${clauses.join("")}\n`,
    data: `{"d":${renderDocument(pair.data)}}`,
    input: pair.input && renderDocument(pair.input),
  };
}

function renderDocument(members: Readonly<Record<string, string>>): string {
  return `{${Object.entries(members).map(([name, text]) => `${JSON.stringify(name)}:${text}`).join()}}`;
}

function makeRule(c: Choices, rules: readonly KnownRule[], i: number): { known: KnownRule; made: Clause[] } {
  const type = c.pick<TermType>(["number", "string", "boolean", "array", "set", "object", "any"]);
  const shape = c.pick(
    [
      "value",
      "value",
      "value",
      "boolean",
      "set",
      "object",
      "function",
      "else",
      "dotted",
      "tree",
      "default function",
    ] as const,
  );
  const name = shape === "dotted" ? `r${i}.x` : shape.endsWith("function") ? `f${i}` : `r${i}`;
  const known = (kind: KnownRule["kind"], of: TermType, arity = 0): KnownRule => ({ name, kind, type: of, arity });
  const clause = (makeHead: (scope: Scope) => string, variables: readonly string[] = [], isElse = false): Clause => {
    const scope = { rules, variables };
    const { body, scope: bound } = makeBody(c, scope);
    const head = makeHead(bound);
    const used = body.map((line, k) => {
      const declared = /^some ([\w, ]+) in /.exec(line)?.[1]?.split(", ") ?? [];
      return withoutUnused(line, declared, [head, ...body.toSpliced(k, 1)].join("\n"));
    });
    return { head, body: used, isElse };
  };
  const term = (scope: Scope, of: TermType) => makeTerm(c, scope, of, MAX_DEPTH);
  const constant = () => c.pick(["false", "0", '"none"', "[]", "{}", "null", "set()", '{"a": [1, {2}]}']);
  switch (shape) {
    case "boolean":
      return { known: known("value", "boolean"), made: c.some(1, 3, () => clause(() => `${name} := true`)) };
    case "set":
      return {
        known: known("set", "set"),
        made: c.some(1, 3, () => clause((scope) => `${name} contains ${term(scope, type)}`)),
      };
    case "object":
      return {
        known: known("object", "object"),
        made: c.some(1, 3, () => clause((scope) => `${name}[${term(scope, "string")}] := ${term(scope, type)}`)),
      };
    case "tree":
      return {
        known: known("object", "object"),
        made: c.some(1, 3, () => {
          const path = c.pick([".x", ".y", ".x.z", '["w"]', ".y.z"]);
          return c.pick([
            () => clause((scope) => `${name}${path}[${term(scope, "string")}] := ${term(scope, type)}`),
            () =>
              clause((scope) =>
                `${name}${path}[${term(scope, "string")}][${term(scope, "any")}] := ${term(scope, type)}`
              ),
            () => clause((scope) => `${name}${path} contains ${term(scope, type)}`),
            () => clause((scope) => `${name}${path} := ${term(scope, type)}`),
          ])();
        }),
      };
    case "default function": {
      const made = clause((scope) => `${name}(p0) := ${term(scope, type)}`, ["p0"]);
      const fallback: Clause = { head: `default ${name}(_) := ${constant()}`, body: [], isElse: false };
      return { known: known("function", type, 1), made: c.chance(0.5) ? [fallback, made] : [made, fallback] };
    }
    case "function": {
      const arity = 1 + c.below(2);
      const made = c.some(1, 3, () => {
        const patterns = Array.from({ length: arity }, (_, k) => makePattern(c, k));
        return clause(
          (scope) => `${name}(${patterns.map(({ text }) => text).join(", ")}) := ${term(scope, type)}`,
          patterns.flatMap(({ variables }) => variables),
        );
      });
      return { known: known("function", type, arity), made };
    }
    case "else": {
      const first = clause((scope) => `${name} := ${term(scope, type)}`);
      const others = c.some(1, 2, () => clause((scope) => `else := ${term(scope, type)}`, [], true));
      // What follows a clause without a body would never be reached, and Rego refuses it.
      const made = [first, ...others].map((each, k, all) =>
        each.body.length > 0 || k === all.length - 1
          ? each
          : { ...each, body: [makeTerm(c, { rules, variables: [] }, "boolean", 1)] }
      );
      return { known: known("value", type), made };
    }
    case "dotted":
      return { known: known("value", type), made: [clause((scope) => `${name} := ${term(scope, type)}`)] };
    case "value": {
      const made = c.some(1, 2, () => clause((scope) => `${name} := ${term(scope, type)}`));
      if (c.chance(0.3)) made.unshift({ head: `default ${name} := ${constant()}`, body: [], isElse: false });
      return { known: known("value", type), made };
    }
  }
}

/** A formal argument: a variable, a constant or an array of both. */
function makePattern(c: Choices, position: number): { text: string; variables: string[] } {
  const name = `p${position}`;
  return c.pick([
    () => ({ text: name, variables: [name] }),
    () => ({ text: name, variables: [name] }),
    () => ({ text: c.pick(NUMBERS), variables: [] }),
    () => ({ text: JSON.stringify(c.pick(STRINGS)), variables: [] }),
    () => ({ text: `[${name}, _]`, variables: [name] }),
    () => ({ text: `{"a": ${name}}`, variables: [name] }),
    () => ({ text: "_", variables: [] }),
  ])();
}

function makeBody(c: Choices, outer: Scope): { body: string[]; scope: Scope } {
  let scope = outer;
  const body = c.some(0, 3, () => {
    const [line, bound] = makeExpression(c, scope);
    scope = { ...scope, variables: [...scope.variables, ...bound] };
    return line;
  });
  // Rego does not care for the order of expressions.
  if (c.chance(0.05)) body.reverse();
  return { body, scope };
}

/** A value for each of the names that terms ask for; now and then of another type. */
function makeDocument(c: Choices): Record<string, string> {
  const members: Record<string, string> = {};
  const put = (names: readonly string[], make: () => string) => {
    for (const name of names) if (c.chance(0.9)) members[name] = c.chance(0.05) ? makeJson(c, 1) : make();
  };
  put(["n", "m"], () => c.pick(NUMBERS));
  put(["s", "t"], () => JSON.stringify(c.pick(STRINGS)));
  put(["b"], () => c.pick(["true", "false"]));
  put(["a"], () => `[${c.some(0, 4, () => makeJson(c, 2))}]`);
  put(["ns"], () => `[${c.some(0, 4, () => c.pick(NUMBERS))}]`);
  put(["ss"], () => `[${c.some(0, 4, () => JSON.stringify(c.pick(STRINGS)))}]`);
  put(["o", "p"], () => makeObject(c, 2));
  put(["z"], () => "null");
  return members;
}

function makeJson(c: Choices, depth: number): string {
  const scalars = [
    () => c.pick(NUMBERS),
    () => JSON.stringify(c.pick(STRINGS)),
    () => c.pick(["true", "false", "null"]),
  ];
  if (depth <= 0) return c.pick(scalars)();
  return c.pick([...scalars, () => `[${c.some(0, 3, () => makeJson(c, depth - 1))}]`, () => makeObject(c, depth)])();
}

function makeObject(c: Choices, depth: number): string {
  const names = ["a", "b", "c", "k"].filter(() => c.chance(0.6));
  return `{${names.map((name) => `"${name}":${makeJson(c, depth - 1)}`).join()}}`;
}
