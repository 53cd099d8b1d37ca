// SPDX-License-Identifier: Apache-2.0
/** Takes nested calls apart: each becomes an expression of its own that captures the result in a fresh variable. */

import type { Body, Expr, ExprKind, Rule, Term, With } from "./ast.ts";
import { refusalOf } from "./builtins/refused.ts";
import type { CompileContext } from "./compile_context.ts";
import type { RegoLocation } from "./limits.ts";
import type { RuleMetadata } from "./metadata.ts";
import { trueBody } from "./parser.ts";
import { dottedName } from "./resolve.ts";
import { pathName } from "./rule_names.ts";
import type { RuleNode, RuleTree } from "./rule_tree.ts";
import { sortItems, sortPairs } from "./term_order.ts";
import { eachSubterm } from "./term_walk.ts";
import { keyOf, type Value } from "./values.ts";

export interface Expander {
  /** `metadata` is what the rule's annotations are. */
  rule(rule: Rule, metadata?: RuleMetadata): Rule;
  body(body: Body): Body;
}

/** What an expander knows of the rules. */
export interface KnownRules {
  /** Paths of rules that have a value in any case. */
  readonly defined: ReadonlySet<string>;
  readonly tree: RuleTree;
}

/** A call with one argument more than its arity unifies that argument with the result. */
export function createExpander(context: CompileContext, { defined, tree }: KnownRules): Expander {
  let current: RuleMetadata | undefined;
  const variable = (loc: RegoLocation): Term => ({ kind: "var", name: context.fresh(), loc });

  function makeExpr(what: ExprKind, loc: RegoLocation): Expr {
    return { what, negated: false, withs: [], loc, text: "", generated: true };
  }

  /** The answer of rego.metadata.rule() and rego.metadata.chain(), which is known now. */
  function metadataOf(operator: readonly string[]): Value | undefined {
    if (operator[0] !== "rego" || operator[1] !== "metadata" || operator.length !== 3) return undefined;
    return operator[2] === "rule" ? current?.rule : operator[2] === "chain" ? current?.chain : undefined;
  }

  function equation(left: Term, right: Term): Expr {
    return makeExpr({ kind: "call", operator: ["eq"], args: [left, right] }, right.loc);
  }

  /** The term without calls in it; what has to be evaluated before goes to `before`. */
  function expand(term: Term, before: Expr[]): Term {
    switch (term.kind) {
      case "scalar":
      case "var":
        return term;
      case "call": {
        const constant = metadataOf(term.operator);
        if (constant !== undefined) return { kind: "scalar", value: constant, loc: term.loc };
        const args = term.args.map((arg) => expand(arg, before));
        if (isPrint(term.operator)) context.report("rego_type_error", "print has no value", term.loc);
        const result = variable(term.loc);
        before.push(makeExpr({ kind: "call", operator: term.operator, args: [...args, result] }, term.loc));
        return result;
      }
      case "ref": {
        let head = term.head.kind === "var" ? term.head : expand(term.head, before);
        const path = term.path.map((part) => expand(part, before));
        if (head.kind !== "var") {
          const local = variable(head.loc);
          before.push(equation(local, head));
          head = local;
        }
        return { ...term, head, path };
      }
      case "array":
        return { ...term, items: term.items.map((item) => expand(item, before)) };
      case "set":
        return { ...term, items: sortItems(term.items).map((item) => expand(item, before)) };
      case "object":
        return {
          ...term,
          pairs: sortPairs(term.pairs).map(([key, value]) => [expand(key, before), expand(value, before)] as const),
        };
      case "comprehension": {
        // The head is evaluated after the body, inside the comprehension.
        const after: Expr[] = [];
        const called = { key: term.key && expand(term.key, after), value: expand(term.value, after) };
        const key = called.key && hoist(called.key, after);
        const value = hoist(called.value, after);
        return { ...term, key, value, body: [...expandBody(term.body), ...after] };
      }
      case "template":
        return expand(templateCall(term), before);
    }
  }

  /** Each part becomes a set of no or one value, so that an undefined part does not make the string undefined. */
  function templateCall(term: Term & { kind: "template" }): Term {
    const { loc } = term;
    const items = term.parts.map((part): Term => {
      if (typeof part === "string") return { kind: "scalar", value: part, loc };
      const { what } = part;
      if (what.kind === "term" && what.term.kind === "scalar") return what.term;
      const value: Term = what.kind === "term"
        ? what.term
        : what.kind === "call"
        ? { kind: "call", operator: what.operator, args: what.args, loc: part.loc }
        : { kind: "scalar", value: false, loc };
      if (part.withs.length === 0 && isDefined(value)) return { kind: "set", items: [value], loc: part.loc };
      return captured(value, part.withs);
    });
    return { kind: "call", operator: ["internal", "template_string"], args: [{ kind: "array", items, loc }], loc };
  }

  function isRule(name: readonly string[] | undefined): boolean {
    if (name?.[0] !== "data") return false;
    let node: RuleNode | undefined = tree.root;
    for (const key of name.slice(1)) node = node?.children.get(keyOf(key));
    return node !== undefined;
  }

  function isDefined(term: Term): boolean {
    const name = term.kind === "ref" ? dottedName(term) : undefined;
    return term.kind === "var" || (name !== undefined && defined.has(pathName(name.slice(1))));
  }

  /** `{x | x = term}`. */
  function captured(term: Term, withs: readonly With[] = []): Term {
    const local = variable(term.loc);
    const body = [{ ...equation(local, term), withs }];
    return { kind: "comprehension", of: "set", key: undefined, value: local, body, loc: term.loc };
  }

  function expandBody(body: Body): Body {
    const result = body.flatMap(expandExpr);
    // A body of nothing but print() is true.
    const first = body[0];
    return result.length === 0 && first ? trueBody(first.loc) : result;
  }

  function expandExpr(expr: Expr): Expr[] {
    const before: Expr[] = [];
    const withs = expandWiths(expr.withs, before);
    const inner: Expr[] = [];
    const what = expandKind(expr, inner);
    if (what === undefined) return [];
    return [...before, ...inner.map((extra) => ({ ...extra, withs })), { ...expr, what, withs }];
  }

  /** Calls in all of the values come before the references and comprehensions of any of them, as in OPA. */
  function expandWiths(withs: readonly With[], before: Expr[]): With[] {
    return withs.map((modifier) => expandWith(modifier, before)).map((modifier) => {
      const { value } = modifier;
      if (modifier.replacement || isRuleInstead(modifier) || value.kind === "scalar" || value.kind === "var") {
        return modifier;
      }
      const local = variable(value.loc);
      before.push(equation(local, value));
      return { ...modifier, value: local };
    });
  }

  /** A replacement that names a function, or a rule for a function, stays as it is. */
  function expandWith(modifier: With, before: Expr[]): With {
    const name = dottedName(modifier.value);
    if (name && (context.arity(name) >= 0 || refusalOf(name.join(".")) !== undefined)) {
      return { ...modifier, value: { kind: "scalar", value: null, loc: modifier.loc }, replacement: name };
    }
    return isRuleInstead(modifier) ? modifier : { ...modifier, value: expand(modifier.value, before) };
  }

  /** As OPA: a rule in place of a function is evaluated when the function is called. */
  function isRuleInstead({ target, value }: With): boolean {
    const name = dottedName(target);
    return name !== undefined && name[0] !== "input" && context.arity(name) >= 0 && isRule(dottedName(value));
  }

  function expandKind({ what, loc }: Expr, before: Expr[]): ExprKind | undefined {
    switch (what.kind) {
      case "term":
        return { kind: "term", term: expand(what.term, before) };
      case "call": {
        const constant = metadataOf(what.operator);
        if (constant !== undefined) return { kind: "term", term: { kind: "scalar", value: constant, loc } };
        if (isPrint(what.operator)) {
          if (!context.printing) {
            // Taken out, but not unread.
            for (const arg of what.args) expand(arg, []);
            return undefined;
          }
          const items = what.args.map((arg) => captured(arg));
          return {
            kind: "call",
            operator: ["internal", "print"],
            args: [expand({ kind: "array", items, loc }, before)],
          };
        }
        return { ...what, args: what.args.map((arg) => expand(arg, before)) };
      }
      case "every": {
        const domain = variable(what.domain.loc);
        before.push(equation(domain, expand(what.domain, before)));
        return { ...what, domain, body: expandBody(what.body) };
      }
      case "not":
        return { ...what, body: expandBody(what.body) };
      case "and":
      case "or":
        return { ...what, left: expandBody(what.left), right: expandBody(what.right) };
      case "some":
      case "someIn":
        return what;
    }
  }

  /** What the head needs is evaluated at the end of the body, so that it holds only variables and constants. */
  function expandRule(rule: Rule): Rule {
    const after: Expr[] = [];
    const { head } = rule;
    const path = head.path.map((part) => hoist(expand(part, after), after));
    // As OPA: calls in any of the parts come before the references in each of them.
    const called = {
      args: head.args?.map((arg) => expand(arg, after)),
      member: head.member && expand(head.member, after),
      value: expand(head.value, after),
    };
    const member = called.member && hoist(called.member, after);
    const value = hoist(called.value, after);
    const args = called.args?.map((arg) => hoist(arg, after));
    return {
      ...rule,
      head: { ...head, args, path, member, value },
      body: [...expandBody(rule.body), ...after],
      otherwise: rule.otherwise && expandRule(rule.otherwise),
    };
  }

  /** A variable in place of a term that looks something up. */
  function hoist(term: Term, after: Expr[]): Term {
    let looksUp = false;
    eachSubterm(term, ({ kind }) => {
      looksUp ||= kind === "ref" || kind === "comprehension";
    });
    if (!looksUp) return term;
    const local = variable(term.loc);
    after.push(equation(local, term));
    return local;
  }

  return {
    rule(rule, metadata) {
      current = metadata;
      return expandRule(rule);
    },
    body: expandBody,
  };
}

function isPrint(operator: readonly string[]): boolean {
  return operator.length === 1 && operator[0] === "print";
}
