// SPDX-License-Identifier: Apache-2.0
/** Checks the expressions of a body in their order: equations, calls, references, and what `with` replaces. */

import type { Body, Expr, RefTerm, Term, With } from "../ast.ts";
import { anyType, type Builtin, type Type } from "../builtins/builtin.ts";
import { constantOf } from "../codegen.ts";
import { isGenerated, writtenName } from "../compile_context.ts";
import type { RegoLocation } from "../limits.ts";
import { dottedName } from "../resolve.ts";
import { operatorName } from "../rule_names.ts";
import { eachTerm, rootOf } from "../term_walk.ts";
import type { Value } from "../values.ts";
import { pluralText, typeText } from "./describe.ts";
import { createDocuments, type Documents, lookUp, type Signature, signatureAt } from "./documents.ts";
import { createScope, type Environment, type Scope } from "./environment.ts";
import { equate, expectType, typeOf } from "./infer.ts";
import type { Lattice } from "./lattice.ts";
import { checkReference, type Problem } from "./references.ts";
import { builtinSignature } from "./signatures.ts";

export interface BodyCheckOptions {
  readonly lattice: Lattice;
  readonly builtins: ReadonlyMap<string, Builtin>;
  /** Paths of the rules that a replacement of `data` at `path` may change, other than those at `path` itself. */
  dependents(path: readonly Value[]): Iterable<readonly Value[]>;
  report(problem: Problem): void;
}

export interface BodyChecker {
  /** Gives the variables of `scope` their types; false when something is wrong, which has been reported. */
  check(body: Body, documents: Documents, scope: Scope): boolean;
  typeOf(term: Term, documents: Documents, scope: Scope): Type | undefined;
}

export function createBodyChecker(o: BodyCheckOptions): BodyChecker {
  const { lattice } = o;

  function check(body: Body, documents: Documents, scope: Scope): boolean {
    let isRight = true;
    for (const expr of body) if (!checkExpr(expr, documents, scope)) isRight = false;
    return isRight;
  }

  /** One thing wrong with an expression is enough: others follow from it. */
  function checkExpr(expr: Expr, outer: Documents, scope: Scope): boolean {
    const closures = new Map<Term, Type | undefined>();
    const plain: Environment = { lattice, scope, documents: outer, closures };
    const env = { ...plain, documents: documentsWith(expr.withs, plain) };
    if (!checkClosures(expr, env)) return false;
    const problem = checkReferences(expr, env) ?? checkWiths(expr.withs, plain) ?? checkOperation(expr, env);
    if (problem) o.report(problem);
    return problem === undefined;
  }

  function checkClosures(expr: Expr, env: Environment): boolean {
    let isRight = true;
    const visit = (term: Term): void => {
      if (term.kind !== "comprehension") return;
      const scope = createScope(env.scope);
      if (check(term.body, env.documents, scope)) env.closures.set(term, typeOfClosure(term, { ...env, scope }));
      else isRight = false;
    };
    const inside = (body: Body): void => body.forEach((each) => eachTerm(each, visit, inside));
    eachTerm(expr, visit, inside);
    return isRight;
  }

  function typeOfClosure(term: Term & { kind: "comprehension" }, env: Environment): Type {
    const value = typeOf(env, term.value);
    switch (term.of) {
      case "array":
        return lattice.bounded({ kind: "array", items: [], rest: value });
      case "set":
        return lattice.bounded({ kind: "set", of: value });
      case "object": {
        const key = term.key && typeOf(env, term.key);
        return lattice.bounded({ kind: "object", members: new Map(), rest: { key, value } });
      }
    }
  }

  function checkReferences(expr: Expr, env: Environment): Problem | undefined {
    let problem: Problem | undefined;
    const visit = (term: Term): void => {
      if (term.kind === "ref") problem ??= checkReference(env, term as RefTerm);
    };
    // The values of `with` have been taken out, and its targets are no references.
    const inside = (body: Body): void => body.forEach((each) => eachTerm(each, visit, inside));
    eachTerm(expr, visit, inside);
    return problem;
  }

  function checkOperation(expr: Expr, env: Environment): Problem | undefined {
    const { what, loc } = expr;
    if (what.kind !== "call") return undefined;
    const name = operatorName(what.operator);
    const [a, b, c] = what.args;
    if ((name === "eq" || name === "equal") && a && b && c === undefined) return checkEquation(a, b, loc, env);
    let problem: Problem | undefined;
    if (name === "internal.member_2" && a && b) problem = checkMembership(undefined, a, b, env);
    if (name === "internal.member_3" && a && b && c) problem = checkMembership(a, b, c, env);
    const { operator } = what;
    const signature = signatureOf(operator, env);
    return problem ?? (signature && checkCall(name, signature, what.args, env));
  }

  function checkEquation(a: Term, b: Term, loc: RegoLocation, env: Environment): Problem | undefined {
    const left = typeOf(env, a), right = typeOf(env, b);
    if (equate(env, a, b)) return undefined;
    const sides = `${sideText(a, "the left side")} is ${typeText(left)}, ${sideText(b, "the right side")} is ${
      typeText(right)
    }`;
    return { message: `never equal: ${sides}`, loc };
  }

  /** What a collection may hold depends on its own type, which a signature cannot say. */
  function checkMembership(
    key: Term | undefined,
    value: Term,
    collection: Term,
    env: Environment,
  ): Problem | undefined {
    const type = typeOf(env, collection);
    const values = lattice.values(type);
    if (values === undefined) return undefined;
    const problem = key && checkMember("key", key, lattice.keys(type), env);
    return problem ?? checkMember("value", value, values, env);
  }

  function checkMember(
    role: "key" | "value",
    term: Term,
    type: Type | undefined,
    env: Environment,
  ): Problem | undefined {
    if (lattice.hasUnknown(type)) return undefined;
    const have = typeOf(env, term);
    const isPossible = lattice.hasUnknown(have) || lattice.mayEqual(have, type);
    if (isPossible && expectType(env, term, type)) return undefined;
    const what = `${sideText(term, `the ${role}`)} is ${typeText(have)}`;
    return { message: `never found: ${what}, but the collection's ${role}s are ${pluralText(type)}`, loc: term.loc };
  }

  function checkCall(
    name: string,
    signature: Signature,
    args: readonly Term[],
    env: Environment,
  ): Problem | undefined {
    const before = args.map((arg) => typeOf(env, arg));
    for (const [i, arg] of args.entries()) {
      const isResult = i >= signature.args.length;
      const want = isResult ? signature.result : signature.args[i];
      // A function of the policy whose result is not known.
      if (want === undefined) continue;
      const have = before[i];
      const isPossible = lattice.hasUnknown(have) || lattice.mayEqual(have, want);
      if (isPossible && expectType(env, arg, want)) continue;
      const message = isResult
        ? `${name} gives ${typeText(want)}, which is never ${typeText(typeOf(env, arg))}`
        : `${name}: argument ${i + 1} is ${typeText(typeOf(env, arg))}, but has to be ${typeText(want)}`;
      return { message, loc: arg.loc };
    }
    return undefined;
  }

  /** A function in the place of another has to take what that takes. */
  function checkWiths(withs: readonly With[], env: Environment): Problem | undefined {
    for (const { target, replacement, loc } of withs) {
      const name = dottedName(target);
      if (replacement === undefined || name === undefined) continue;
      const wanted = signatureOf(name, env), given = signatureOf(replacement, env);
      const wrong = given && wanted?.args.findIndex((arg, i) => !lattice.mayEqual(arg, given.args[i]));
      if (wrong === undefined || wrong < 0) continue;
      const message =
        `${operatorName(replacement)} cannot replace ${operatorName(name)}: its argument ${wrong + 1} is ` +
        `${typeText(given?.args[wrong])}, but has to be ${typeText(wanted?.args[wrong])}`;
      return { message, loc };
    }
    return undefined;
  }

  function signatureOf(operator: readonly string[], env: Environment): Signature | undefined {
    if (operator[0] === "data") return signatureAt(env.documents, operator.slice(1));
    return builtinSignature(o.builtins, operator.join("."));
  }

  /** The documents as an expression with these modifiers sees them. */
  function documentsWith(withs: readonly With[], env: Environment): Documents {
    const targets = withs.flatMap(({ target, value }) => {
      const root = target.kind === "ref" && rootOf(target);
      if (target.kind !== "ref" || !root) return [];
      const path = target.path.map((part) => constantOf(part) as Value);
      return [{ target, root, path, value }];
    });
    if (targets.length === 0) return env.documents;
    const relaxed = createDocuments(lattice, env.documents);
    const replaced = createDocuments(lattice, relaxed);
    for (const { target, root, path, value } of targets) {
      const { type, signature } = lookUp(lattice, env.documents, root, target.path);
      for (const dependent of root === "data" ? o.dependents(path) : []) relaxed.set("data", dependent, anyType);
      if (signature) continue;
      const given = typeOf(env, value);
      replaced.set(root, path, type && given ? lattice.either([type, given]) ?? anyType : anyType);
    }
    return replaced;
  }

  return {
    check,
    typeOf: (term, documents, scope) => typeOf({ lattice, scope, documents, closures: new Map() }, term),
  };
}

/** The name of a term where it has one. */
function sideText(term: Term, otherwise: string): string {
  const isNamed = term.kind === "var" && !isGenerated(term.name) && !term.name.startsWith("_$");
  return isNamed ? writtenName(term.name) : otherwise;
}
