// SPDX-License-Identifier: Apache-2.0
/** Checks that what is called exists, is offered, and gets as many arguments as it takes; and what `with` replaces. */

import type { Body, Expr, Rule, Term, With } from "./ast.ts";
import { deprecatedBuiltins, refusalOf } from "./builtins/refused.ts";
import type { CompileContext } from "./compile_context.ts";
import type { RegoLocation } from "./limits.ts";
import { dottedName } from "./resolve.ts";
import { operatorName } from "./rule_names.ts";
import type { RuleNode, RuleTree } from "./rule_tree.ts";
import { eachSubterm, eachTerm } from "./term_walk.ts";
import { keyOf } from "./values.ts";

/** Functions that the compiler makes calls of; a policy cannot name them. */
const OWN = "internal";

export interface CallChecker {
  rule(rule: Rule): void;
  body(body: Body): void;
}

export function createCallChecker(context: CompileContext, tree: RuleTree): CallChecker {
  /** `isNested`: the compiler has added an argument that captures the result. */
  function checkCall(operator: readonly string[], count: number, isNested: boolean, location: RegoLocation): void {
    const name = operatorName(operator);
    if (operator.length === 1 && operator[0] === "eq") return;
    const arity = context.arity(operator);
    if (arity < 0) return unknown(operator, name, location);
    if (operator[0] === OWN) return;
    const given = isNested ? count - 1 : count;
    // Outside of a term, one argument more captures the result.
    if (given === arity || (!isNested && given === arity + 1)) return;
    const message = `${name} takes ${arity} argument${arity === 1 ? "" : "s"}, got ${given}`;
    context.report("rego_type_error", message, location);
  }

  function unknown(operator: readonly string[], name: string, location: RegoLocation): void {
    // Used as a value: said where calls were taken apart.
    if (name === "print") return;
    const reason = refusalOf(name);
    if (reason !== undefined) {
      context.report("rego_unsupported_error", `${name} is refused: ${reason}`, location);
      return;
    }
    const instead = deprecatedBuiltins.get(name);
    if (instead !== undefined) {
      context.report("rego_type_error", `deprecated built-in function call in expression: ${name}`, location, instead);
    } else {context.report(
        "rego_type_error",
        `undefined function ${operator[0] === "data" ? name : operator.join(".")}`,
        location,
      );}
  }

  function checkWith({ target, replacement, loc }: With): void {
    const name = dottedName(target);
    if (replacement && context.arity(replacement) < 0) unknown(replacement, operatorName(replacement), loc);
    if (target.kind !== "ref" || name === undefined) {
      context.report("rego_type_error", "with keyword target must be a constant path", loc);
      return;
    }
    if (name[0] === "input") return;
    if (name[0] === "data") return checkDataTarget(name.slice(1), replacement, loc);
    const dotted = name.join(".");
    if (refusalOf(dotted) !== undefined) return unknown(name, dotted, loc);
    const builtin = context.builtins.get(dotted);
    if (builtin === undefined || dotted.startsWith("internal.")) {
      context.report("rego_type_error", "with keyword target must reference existing input, data, or a function", loc);
    } else if (["eq", "rego.metadata.chain", "rego.metadata.rule", "print", "walk"].includes(dotted)) {
      context.report(
        "rego_compile_error",
        `with keyword replacing built-in function: ${dotted} must not be replaced`,
        loc,
      );
    } else checkReplacement(builtin.args.length, replacement, loc);
  }

  function checkDataTarget(
    path: readonly string[],
    replacement: readonly string[] | undefined,
    loc: RegoLocation,
  ): void {
    let node: RuleNode | undefined = tree.root;
    for (const part of path) {
      if (node !== undefined && node.kind !== undefined) {
        context.report("rego_compile_error", "with keyword cannot partially replace virtual document(s)", loc);
        return;
      }
      node = node?.children.get(keyOf(part));
    }
    if (node?.kind === "function") checkReplacement(context.arity(["data", ...path]), replacement, loc);
    else if (replacement) {
      context.report("rego_type_error", "with keyword can replace only a function by a function", loc);
    }
  }

  /** A function in place of another takes as many arguments. */
  function checkReplacement(arity: number, replacement: readonly string[] | undefined, loc: RegoLocation): void {
    const own = replacement ? context.arity(replacement) : -1;
    if (own >= 0 && own !== arity) {
      context.report("rego_type_error", `with keyword replacement takes ${own} arguments, want ${arity}`, loc);
    }
  }

  function checkExpr(expr: Expr): void {
    const { what } = expr;
    if (what.kind === "call") checkCall(what.operator, what.args.length, expr.generated ?? false, expr.loc);
    expr.withs.forEach(checkWith);
    eachTerm(expr, checkTerm, checkBody);
  }

  function checkTerm(term: Term): void {
    eachSubterm(term, () => {}, (closure) => checkBody(closure.body));
  }

  function checkBody(body: Body): void {
    body.forEach(checkExpr);
  }

  return {
    body: checkBody,
    rule(rule) {
      for (let next: Rule | undefined = rule; next; next = next.otherwise) checkBody(next.body);
    },
  };
}
