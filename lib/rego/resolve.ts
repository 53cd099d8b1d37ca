// SPDX-License-Identifier: Apache-2.0
/** Gives every name its meaning: rules and imports become `data…` and `input…`, declared variables unique names. */

import type { Body, CallTerm, Expr, ExprKind, Rule, RuleHead, Term, VarTerm, With } from "./ast.ts";
import type { CompileContext } from "./compile_context.ts";
import { refusalOf } from "./builtins/refused.ts";
import { declaredIn, membershipVars, patternVars } from "./declared.ts";
import type { RegoLocation } from "./limits.ts";
import { bodyVars, eachSubterm, rootOf, termVars } from "./term_walk.ts";

/** What a name of the module stands for, e.g. `["data", "a", "b"]`. */
export type Globals = ReadonlyMap<string, readonly string[]>;

interface Declaration {
  readonly unique: string;
  readonly how: "declared" | "assigned" | "arg";
  readonly loc: RegoLocation;
}

interface Scope {
  readonly parent: Scope | undefined;
  /** Declared somewhere in this body, perhaps further down. */
  readonly ahead: ReadonlySet<string>;
  /** Declared so far: the unique name, and how. */
  readonly names: Map<string, Declaration>;
  /** Used in this body before any declaration. */
  readonly seen: Set<string>;
}

export interface Resolver {
  rule(rule: Rule): Rule;
  /** Variables declared at the top of a query keep their names: they are its result. */
  query(body: Body): Body;
  /** A reference on its own. */
  term(term: Term): Term;
}

export function createResolver(context: CompileContext, globals: Globals): Resolver {
  let unique = 0;
  let scope: Scope = newScope(undefined, new Set());
  let keepNames = false;

  function within<T>(ahead: ReadonlySet<string>, work: () => T): T {
    const outer = scope;
    const outerKeep = keepNames;
    keepNames = false;
    scope = newScope(outer, ahead);
    try {
      return work();
    } finally {
      scope = outer;
      keepNames = outerKeep;
    }
  }

  function declare(name: string, loc: RegoLocation, how: "declared" | "assigned" | "arg"): string {
    if (name === "input" || name === "data") {
      context.report("rego_compile_error", shadowed("variables", name), loc);
    }
    const known = scope.names.get(name);
    if (known) {
      const message = known.how === "arg" ? `arg ${name} redeclared` : `var ${name} ${known.how} above`;
      context.report("rego_compile_error", message, loc);
    } else if (scope.seen.has(name)) context.report("rego_compile_error", `var ${name} referenced above`, loc);
    const renamed = keepNames || name.startsWith("_$") ? name : `${name}#${unique++}`;
    scope.names.set(name, { unique: renamed, how, loc });
    return renamed;
  }

  /** What `some` and `every` declare has to be used: in the body, or in the terms that stand outside of it. */
  function checkUnused(body: Body, terms: readonly (Term | undefined)[] = []): void {
    const used = bodyVars(body, new Set());
    for (const term of terms) if (term) termVars(term, used);
    for (const [name, { unique, how, loc }] of scope.names) {
      if (how === "declared" && !used.has(unique)) {
        context.report("rego_compile_error", `declared var ${name} unused`, loc);
      }
    }
  }

  function variable(term: VarTerm): Term {
    const { name, loc } = term;
    for (let s: Scope | undefined = scope; s; s = s.parent) {
      const local = s.names.get(name);
      if (local) return { kind: "var", name: local.unique, loc };
      if (s.ahead.has(name)) {
        // A closure above the declaration means a variable of its own.
        scope.seen.add(name);
        return term;
      }
    }
    const path = globals.get(name);
    if (path) return refOf(path, loc);
    scope.seen.add(name);
    return term;
  }

  function isDeclared(name: string): boolean {
    for (let s: Scope | undefined = scope; s; s = s.parent) if (s.names.has(name)) return true;
    return false;
  }

  function resolve(term: Term): Term {
    switch (term.kind) {
      case "scalar":
        return term;
      case "var":
        return variable(term);
      case "ref": {
        const path = term.path.map(resolve);
        const isRoot = term.head.kind === "var" && (term.head.name === "input" || term.head.name === "data");
        const head = isRoot ? term.head : resolve(term.head);
        if (head.kind === "ref" && term.head.kind === "var") return { ...head, path: [...head.path, ...path] };
        return { ...term, head, path };
      }
      case "call":
        return { ...term, operator: operator(term.operator, term.loc), args: term.args.map(resolve) } as CallTerm;
      case "array":
      case "set":
        return { ...term, items: term.items.map(resolve) };
      case "object":
        return { ...term, pairs: term.pairs.map(([key, value]) => [resolve(key), resolve(value)] as const) };
      case "comprehension":
        return within(declaredIn(term.body), () => {
          const body = resolveBody(term.body);
          const key = term.key && resolve(term.key);
          const value = resolve(term.value);
          checkUnused(body, [key, value]);
          return { ...term, body, key, value };
        });
      case "template":
        return { ...term, parts: term.parts.map((part) => typeof part === "string" ? part : expression(part)) };
    }
  }

  /** A function of the policy by its whole path; a builtin as it was written. */
  function operator(written: readonly string[], loc: RegoLocation): readonly string[] {
    const [name, ...rest] = written;
    if (name === undefined || name === "data" || name === "internal") return written;
    for (let s: Scope | undefined = scope; s; s = s.parent) {
      if (s.names.has(name) || s.ahead.has(name)) {
        context.report("rego_type_error", `undefined function ${written.join(".")}`, loc);
        return written;
      }
    }
    const path = globals.get(name);
    return path ? [...path, ...rest] : written;
  }

  function resolveBody(body: Body): Body {
    return body.flatMap((expr) => expr.what.kind === "some" ? declareAll(expr.what.vars) : [expression(expr)]);
  }

  function declareAll(vars: readonly VarTerm[]): Expr[] {
    for (const { name, loc } of vars) if (!name.startsWith("_$")) declare(name, loc, "declared");
    return [];
  }

  function expression(expr: Expr): Expr {
    const withs = expr.withs.map(resolveWith);
    return { ...expr, what: resolveKind(expr), withs };
  }

  function resolveWith({ target, value, loc }: With): With {
    return { target: resolveTarget(target), value: resolveValue(value), loc };
  }

  /** `with f as …` names a function, which is no variable. */
  function resolveTarget(target: Term): Term {
    if (target.kind !== "ref" || target.head.kind !== "var") return resolve(target);
    const { name } = target.head;
    if (name === "input" || name === "data") return resolve(target);
    const path = globals.get(name);
    if (!path) return target;
    const global = refOf(path, target.loc);
    return { ...global, path: [...global.path, ...target.path] };
  }

  /** A builtin named as a replacement is written like a reference to an unknown variable. */
  function resolveValue(value: Term): Term {
    const parts = value.kind === "var" ? [value.name] : dottedName(value);
    const dotted = parts?.join(".") ?? "";
    if (parts && (context.builtins.has(dotted) || refusalOf(dotted) !== undefined)) {
      const name = parts[0] as string;
      let isLocal = false;
      for (let s: Scope | undefined = scope; s; s = s.parent) isLocal ||= s.names.has(name) || s.ahead.has(name);
      if (!isLocal && !globals.has(name)) return value;
    }
    return resolve(value);
  }

  function resolveKind({ what, negated, loc }: Expr): ExprKind {
    switch (what.kind) {
      case "term":
        return { kind: "term", term: resolve(what.term) };
      case "call":
        if (what.operator[0] === "assign" && what.args.length === 2) return assignment(what, negated, loc);
        return { ...what, operator: operator(what.operator, loc), args: what.args.map(resolve) };
      case "some":
        return what;
      case "someIn":
        return membership(what);
      case "every": {
        const domain = resolve(what.domain);
        const outer = termVars(domain, new Set());
        for (const own of [what.key, what.value]) {
          // As OPA: a variable of the body that nobody declared is hidden even from the domain.
          if (own && outer.has(own.name) && !isDeclared(own.name)) {
            context.report("rego_unsafe_var_error", `var ${own.name} is unsafe`, own.loc);
          }
        }
        return within(new Set(), () => {
          const key = what.key && declared(what.key);
          const value = declared(what.value);
          // The body is a scope of its own, in which both may be declared again.
          const body = within(declaredIn(what.body), () => {
            const inner = resolveBody(what.body);
            checkUnused(inner);
            return inner;
          });
          checkUnused(body);
          return { ...what, key, value, domain, body };
        });
      }
      case "not":
        return { ...what, body: resolveOperand(what.body, what.explicit ? undefined : loc) };
      case "and":
      case "or":
        return { ...what, left: resolveOperand(what.left), right: resolveOperand(what.right) };
    }
  }

  /** `negatedAt`: the place of a `not` without braces, in which nothing may be assigned. */
  function resolveOperand(body: Body, negatedAt?: RegoLocation): Body {
    const assigns = body.some(({ what }) => what.kind === "call" && what.operator[0] === "assign");
    if (negatedAt && assigns) {
      context.report("rego_compile_error", "cannot assign vars inside negated expression", negatedAt);
    }
    return within(declaredIn(body), () => {
      const inner = resolveBody(body);
      checkUnused(inner);
      return inner;
    });
  }

  function declared(term: VarTerm): VarTerm {
    if (term.name.startsWith("_$")) return term;
    return { ...term, name: declare(term.name, term.loc, "declared") };
  }

  function assignment(what: ExprKind & { kind: "call" }, negated: boolean, loc: RegoLocation): ExprKind {
    if (negated) context.report("rego_compile_error", "cannot assign vars inside negated expression", loc);
    const [target, value] = what.args as [Term, Term];
    const resolved = resolve(value);
    checkTarget(target);
    patternVars(target, (v) => {
      if (!v.name.startsWith("_$")) declare(v.name, v.loc, "assigned");
    });
    return { kind: "call", operator: ["eq"], args: [resolve(target), resolved], assignment: true };
  }

  function checkTarget(target: Term): void {
    switch (target.kind) {
      case "var":
      case "scalar":
        return;
      case "array":
        target.items.forEach(checkTarget);
        return;
      case "object":
        target.pairs.forEach(([, value]) => checkTarget(value));
        return;
      default: {
        const root = target.kind === "ref" ? rootOf(target) : undefined;
        const message = root === undefined ? `cannot assign to ${target.kind}` : shadowed("variables", root);
        context.report("rego_compile_error", message, target.loc);
      }
    }
  }

  /** `some k, v in xs` is `v = xs[k]` with new variables. */
  function membership(what: ExprKind & { kind: "someIn" }): ExprKind {
    const domain = resolve(what.domain);
    const inDomain = termVars(what.domain, new Set(), { skipClosures: true });
    for (const pattern of [what.key, what.value]) {
      // As OPA: `some x in f(x)` does not mean an outer x.
      if (pattern) {
        patternVars(pattern, ({ name, loc }) => {
          if (inDomain.has(name)) context.report("rego_compile_error", `var ${name} assigned before`, loc);
        });
      }
    }
    for (const v of membershipVars(what)) if (!v.name.startsWith("_$")) declare(v.name, v.loc, "declared");
    const { loc } = what.value;
    const key: Term = what.key ? resolve(what.key) : { kind: "var", name: `_$s${unique++}`, loc };
    const isRef = domain.kind === "ref";
    const element: Term = isRef
      ? { ...domain, path: [...domain.path, key] }
      : { kind: "ref", head: domain, path: [key], loc };
    return { kind: "call", operator: ["eq"], args: [resolve(what.value), element] };
  }

  function rule(rule: Rule): Rule {
    scope = newScope(undefined, declaredIn(rule.body));
    const args = rule.head.args?.map((arg) => {
      eachSubterm(arg, (part) => {
        const root = part.kind === "ref" ? rootOf(part) : undefined;
        if (root !== undefined) context.report("rego_compile_error", shadowed("args", root), part.loc);
      });
      argVars(arg, (v) => {
        if (!v.name.startsWith("_$") && !scope.names.has(v.name)) declare(v.name, v.loc, "arg");
      });
      return resolve(arg);
    });
    const body = resolveBody(rule.body);
    const { member, value, path } = rule.head;
    const head: RuleHead = {
      ...rule.head,
      args,
      path: path.map(resolve),
      member: member && resolve(member),
      value: resolve(value),
    };
    checkUnused(body, [...head.path, head.member, head.value]);
    const otherwise = rule.otherwise && createResolver(context, globals).rule(rule.otherwise);
    return { ...rule, head, body, otherwise };
  }

  return {
    rule,
    query(body) {
      keepNames = true;
      scope = newScope(undefined, declaredIn(body));
      const resolved = resolveBody(body);
      checkUnused(resolved);
      return resolved;
    },
    term(term) {
      scope = newScope(undefined, new Set());
      return resolve(term);
    },
  };
}

function newScope(parent: Scope | undefined, ahead: ReadonlySet<string>): Scope {
  return { parent, ahead, names: new Map(), seen: new Set() };
}

function shadowed(what: "args" | "variables", root: string): string {
  return `${what} must not shadow ${root} (use a different variable name)`;
}

/** Visits the variables that an argument's pattern declares: not those inside references, calls and closures. */
function argVars(term: Term, visit: (term: VarTerm) => void): void {
  patternVars(term, visit);
  if (term.kind === "template") {
    for (const part of term.parts) {
      if (typeof part !== "string" && part.what.kind === "term" && part.what.term.kind === "var") visit(part.what.term);
    }
  }
}

function refOf(path: readonly string[], loc: RegoLocation): Term & { kind: "ref" } {
  const [root, ...rest] = path;
  return {
    kind: "ref",
    head: { kind: "var", name: root as string, loc },
    path: rest.map((value) => ({ kind: "scalar", value, loc })),
    loc,
  };
}

/** `["json", "marshal"]` for a reference of constant parts. */
export function dottedName(term: Term): string[] | undefined {
  if (term.kind === "var") return [term.name];
  if (term.kind !== "ref" || term.head.kind !== "var") return undefined;
  const parts = [term.head.name];
  for (const part of term.path) {
    if (part.kind !== "scalar" || typeof part.value !== "string") return undefined;
    parts.push(part.value);
  }
  return parts;
}
