// SPDX-License-Identifier: Apache-2.0
/** Takes references and comprehensions out of calls and collections, so that those hold only known values. */

import type { Body, Expr, Rule, Term } from "./ast.ts";
import type { CompileContext } from "./compile_context.ts";
import { sortItems, sortPairs } from "./term_order.ts";

export interface Flattener {
  rule(rule: Rule): Rule;
  body(body: Body): Body;
}

export function createFlattener(context: CompileContext): Flattener {
  /** A variable that stands for `term`, equated before the expression `of`. */
  function hoist(term: Term, of: Expr, before: Expr[]): Term {
    const local: Term = { kind: "var", name: context.fresh(), loc: term.loc };
    const what = { kind: "call", operator: ["eq"], args: [local, term] } as const;
    before.push({ what, negated: false, withs: of.withs, loc: term.loc, text: "", generated: true });
    return local;
  }

  function deep(term: Term, of: Expr, before: Expr[]): Term {
    switch (term.kind) {
      case "ref":
        return hoist({ ...term, path: term.path.map((part) => deep(part, of, before)) }, of, before);
      case "comprehension":
        return hoist({ ...term, body: flatten(term.body) }, of, before);
      case "array":
        return { ...term, items: term.items.map((item) => deep(item, of, before)) };
      case "set":
        return { ...term, items: sortItems(term.items).map((item) => deep(item, of, before)) };
      case "object":
        return {
          ...term,
          pairs: sortPairs(term.pairs).map(([key, value]) => [deep(key, of, before), deep(value, of, before)]),
        };
      default:
        return term;
    }
  }

  /** A side of an equation, or an expression of one term, may itself be a reference or comprehension. */
  function shallow(term: Term, of: Expr, before: Expr[]): Term {
    if (term.kind === "ref") return { ...term, path: term.path.map((part) => deep(part, of, before)) };
    if (term.kind === "comprehension") return { ...term, body: flatten(term.body) };
    return deep(term, of, before);
  }

  /** In a rule `a == b` becomes `a = b`, as in OPA: with an undefined side it fails, but stops nothing before it. */
  let isRule = true;

  function flatten(body: Body): Body {
    return body.flatMap((expr) => {
      const before: Expr[] = [];
      const { what } = expr;
      switch (what.kind) {
        case "term":
          return finish(before, { ...expr, what: { ...what, term: shallow(what.term, expr, before) } });
        case "call": {
          const isEqual = isRule && what.operator.join() === "equal" && what.args.length === 2;
          const operator = isEqual ? ["eq"] : what.operator;
          const step = operator[0] === "eq" && operator.length === 1 ? shallow : deep;
          const args = what.args.map((arg) => step(arg, expr, before));
          return finish(before, { ...expr, what: { ...what, operator, args } });
        }
        case "every":
          return [{ ...expr, what: { ...what, body: flatten(what.body) } }];
        case "not":
          return [{ ...expr, what: { ...what, body: flatten(what.body) } }];
        case "and":
        case "or":
          return [{ ...expr, what: { ...what, left: flatten(what.left), right: flatten(what.right) } }];
        case "some":
        case "someIn":
          return [];
      }
    });
  }

  /** Evaluated after `expr` was made, which is what filled `before`. */
  function finish(before: readonly Expr[], expr: Expr): Expr[] {
    return [...before, expr];
  }

  function rule(rule: Rule): Rule {
    return { ...rule, body: flatten(rule.body), otherwise: rule.otherwise && flattener.rule(rule.otherwise) };
  }

  const flattener: Flattener = {
    rule,
    body(body) {
      isRule = false;
      return flatten(body);
    },
  };
  return flattener;
}
