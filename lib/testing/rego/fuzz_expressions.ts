// SPDX-License-Identifier: Apache-2.0
/** Makes random expressions of rule bodies, with the variables that they bind. */

import type { Choices } from "./fuzz_random.ts";
import { freshName, generator, makeTerm, MEMBERS, type Scope, type TermType } from "./fuzz_terms.ts";

/** Deepest nesting of a term. */
const DEPTH = 2;

type MakeTerm = (type: TermType) => string;
type Line = [line: string, bound: string[]];

/** Several `with` on one expression: later ones see what earlier ones put in place. */
function withSeveral(c: Choices, { rules }: Scope, name: string, term: MakeTerm): Line {
  const targets = c.some(1, 3, () =>
    c.pick([
      () => `input.${c.pick(MEMBERS.any)}`,
      () => `input.${c.pick(["o", "p"])}.${c.pick(["a", "b"])}`,
      () => "input",
      () => `data.d.${c.pick(MEMBERS.any)}`,
      () => `data.d.${c.pick(["o", "p"])}.${c.pick(["a", "b"])}.c`,
      () => {
        const values = rules.filter(({ kind }) => kind !== "function");
        return values.length > 0 ? `data.fuzz.${c.pick(values).name}` : "data.e";
      },
    ])());
  return [`${name} := ${term("any")}${targets.map((target) => ` with ${target} as ${term("any")}`).join("")}`, [name]];
}

/** A function in place of a function. */
function withFunction(c: Choices, { rules }: Scope, name: string, term: MakeTerm): Line {
  const functions = rules.filter(({ kind }) => kind === "function");
  const one = [
    ...functions.filter(({ arity }) => arity === 1).map((each) => each.name),
    "count",
    "lower",
    "abs",
    "is_string",
  ];
  const two = [
    ...functions.filter(({ arity }) => arity === 2).map((each) => each.name),
    "concat",
    "startswith",
    "equal",
    "object.remove",
  ];
  const from = c.chance(0.7) ? one : two;
  return [`${name} := ${term("any")} with ${c.pick(from)} as ${c.pick(c.chance(0.95) ? from : [...one, ...two])}`, [
    name,
  ]];
}

function pairs(c: Choices, term: MakeTerm): string {
  return `[${c.some(1, 3, () => `[${c.pick([term("any"), '"k"'])}, ${term("any")}]`)}]`;
}

/** A comprehension with a body of several expressions, which closes over what is bound around it. */
function closure(c: Choices, scope: Scope, own: string): string {
  const [x, y] = [`${own}x`, `${own}y`];
  const inner = { ...scope, variables: [...scope.variables, x, y] };
  const body = [
    c.pick([`${x} := ${makeTerm(c, scope, "any", 1)}`, `some ${x} in ${makeTerm(c, scope, "array", 1)}`]),
    `${y} := ${makeTerm(c, { ...scope, variables: [...scope.variables, x] }, "any", 1)}`,
    ...c.some(0, 1, () => makeTerm(c, inner, "boolean", 1)),
  ];
  const head = `[${x}, ${y}${c.chance(0.5) ? `, ${makeTerm(c, inner, "any", 0)}` : ""}]`;
  const text = body.join("; ");
  return c.pick([`[${head} | ${text}]`, `{${head} | ${text}}`, `{${head}: ${y} | ${text}}`]);
}

/** What stands directly before an index. */
function indexed(c: Choices, term: MakeTerm): string {
  const key = c.pick(["0", "-1", "1", '"a"', "1.0", "1e0", "-0", "_", term("any")]);
  return c.pick([
    `[${term("any")}, ${term("any")}][${key}]`,
    `{"a": ${term("any")}, "b": 2}[${key}]`,
    `{1, "a", ${term("any")}}[${key}]`,
    `input.o[${key}][${key}]`,
    `{"a": {"b": ${term("any")}}}.a.b`,
  ]);
}

/** A rule by a name that may be known before it is run, and may be that of the rule itself. */
function ruleByName(c: Choices, name: string, next: string, term: MakeTerm): Line {
  const names = JSON.stringify(c.some(1, 2, () => c.pick(["r0", "r1", "r2", "r3", "none"])));
  const bind = c.pick([
    `${name} := ${names}[_]`,
    `${name} = ${names}[0]`,
    `some ${name} in ${names}`,
    `some ${name} in {"k": ${names}}.k`,
    `${name} := ${term("string")}`,
  ]);
  return c.pick<() => Line>([
    () => [`${bind}; ${next} := data.fuzz[${name}]`, [name, next]],
    () => [`${bind}; ${next} := data.fuzz[${name}][_]`, [name, next]],
    () => [`${bind}; ${next} := [${name} | data.fuzz[${name}] != ${term("any")}]`, [name, next]],
    () => [`${bind}; not data.fuzz[${name}] == ${term("any")}`, [name]],
    () => [`${name} := [1 | ${bind}; data.fuzz[${name}]]`.replaceAll(name, next), [next]],
    () => [`${next} := data.fuzz[[${term("any")}]]`, [next]],
  ])();
}

/** An object with a key that is computed, equated with another. */
function computedKey(c: Choices, name: string, next: string, term: MakeTerm): Line {
  const key = c.pick(["input.s", term("string"), '"b"']);
  const other = c.pick(["input.o", "input.p", '{"a": 1, "b": [2]}', term("object")]);
  return c.pick<() => Line>([
    () => [`{"a": ${name}, ${key}: ${next}} = ${other}`, [name, next]],
    () => [`{"a": ${term("any")}, ${key}: ${next}} = ${other}`, [next]],
    () => [`${name} := {"a": ${term("any")}, ${key}: ${term("any")}}`, [name]],
  ])();
}

/** One line of a body, and the variables that it binds. */
export function makeExpression(c: Choices, scope: Scope): [line: string, bound: string[]] {
  const term = (type: TermType) => makeTerm(c, scope, type, DEPTH);
  const name = freshName(scope);
  const next = freshName(scope, 1);
  const kinds: (() => [string, string[]])[] = [
    () => [term("boolean"), []],
    () => [`${term("any")} ${c.pick(["==", "!=", "<", ">=", "="])} ${term("any")}`, []],
    () => [`${name} := ${term("any")}`, [name]],
    () => [`${name} = ${term("any")}`, [name]],
    () => [`[${name}, ${next}] = ${c.chance(0.5) ? `[${term("any")}, ${term("any")}]` : "input.a"}`, [name, next]],
    () => [`{"a": ${name}} = ${c.pick(["input.o", "data.d.p", `{"a": ${term("any")}}`])}`, [name]],
    () => {
      const [variables, text] = generator(c, scope, DEPTH);
      return [text, variables];
    },
    () => [`some ${name}; input.${c.pick(["a", "o", "ns", "ss"])}[${name}] != ${makeTerm(c, scope, "any", 0)}`, [name]],
    () => [`not ${term("boolean")}`, []],
    () => [`not ${term("any")}`, []],
    () => {
      const inner = { ...scope, variables: [...scope.variables, name] };
      const condition = makeTerm(c, inner, "boolean", 1);
      const using = new RegExp(`\\b${name}\\b`).test(condition)
        ? condition
        : `${name} ${c.pick(["!=", "<", ">="])} ${condition}`;
      return [`every ${name} in ${term(c.pick(["array", "object", "set"]))} { ${using} }`, []];
    },
    () => [`walk(${term(c.pick(["object", "array"]))}, [${name}, ${next}])`, [name, next]],
    () => [`${name} := ${term("any")} with input.${c.pick(MEMBERS.any)} as ${term("any")}`, [name]],
    () => [`${term("boolean")} with input as ${term("object")}`, []],
    () => {
      // A rule, or a builtin, replaced for one expression.
      const replaced = scope.rules.length > 0 ? c.pick(scope.rules) : undefined;
      if (replaced === undefined || c.chance(0.3)) {
        return [`${name} := ${term("any")} with ${c.pick(["count", "lower", "concat"])} as ${term("any")}`, [name]];
      }
      if (replaced.kind === "function") {
        return [`${name} := ${term("any")} with ${replaced.name} as ${makeTerm(c, scope, "any", 0)}`, [name]];
      }
      return [`${name} := ${term("any")} with data.fuzz.${replaced.name} as ${term("any")}`, [name]];
    },
    () => [
      `{"a": [${name}, _], "b": ${next}} = {"a": ${c.pick(["input.a", "[1, 2]", term("array")])}, "b": ${term("any")}}`,
      [name, next],
    ],
    () => {
      const inner = { ...scope, variables: [...scope.variables, name, next] };
      return [
        `every ${name}, ${next} in ${term(c.pick(["array", "object"]))} { ${name} != ${
          makeTerm(c, inner, "any", 0)
        }; ${next} != ${makeTerm(c, inner, "any", 1)} }`,
        [],
      ];
    },
    () => [`${name} := ${term("any")} with data.d.${c.pick(MEMBERS.any)} as ${term("any")}`, [name]],
    () => withSeveral(c, scope, name, term),
    () => withFunction(c, scope, name, term),
    () => [`some [${name}, ${next}] in ${pairs(c, term)}`, [name, next]],
    () => [`some ${name}, {"a": ${next}} in [{"a": ${term("any")}}, ${term("object")}]`, [name, next]],
    () => [`some ${name} in ${term("object")}; ${name} != ${term("any")}`, [name]],
    () => [`[${name}, ["k", ${next}]] = ${c.pick(["input.a", pairs(c, term)])}[_]`, [name, next]],
    () => [`input[${name}][${next}] = ${term("any")}`, [name, next]],
    () => [`data.d[${name}] = ${term("any")}`, [name]],
    () => [`${name} := ${closure(c, scope, name)}`, [name]],
    () => [`not ${closure(c, scope, name)} ${c.pick(["==", "!=", "<"])} ${term("any")}`, []],
    () => {
      const inner = { ...scope, variables: [...scope.variables, name, next] };
      const body = makeTerm(c, inner, "boolean", 1);
      return [
        `every ${name} in ${term("array")} { every ${next} in [${name}] { [${name}, ${next}] != ${
          makeTerm(c, inner, "any", 0)
        }; ${body} } }`,
        [],
      ];
    },
    () => [`${term("boolean")} == ${term("boolean")}`, []],
    () => [`${name} := ${indexed(c, term)}`, [name]],
    () => ruleByName(c, name, next, term),
    () => computedKey(c, name, next, term),
    () => {
      const target = c.pick(["data", "data.d", "data.fuzz", "data.fuzz.r0", "data.fuzz.r1.x"]);
      return [`${name} := ${term("any")} with ${target} as ${term("object")}`, [name]];
    },
  ];
  return c.pick(kinds)();
}
