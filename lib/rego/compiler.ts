// SPDX-License-Identifier: Apache-2.0
/** From modules to a program: the stages in their order, each over all modules. */

import type { Body, Rule } from "./ast.ts";
import { RegoBuiltinError } from "./builtins/builtin.ts";
import { builtins } from "./builtins/table.ts";
import { createCallChecker } from "./check_calls.ts";
import { type CompileContext, createCompileContext } from "./compile_context.ts";
import { definedRules } from "./defined_rules.ts";
import { createFlattener } from "./dynamics.ts";
import { createExpander } from "./expand.ts";
import { type Limits, RegoError, type RegoLocation } from "./limits.ts";
import { readMetadata, type RuleMetadata } from "./metadata.ts";
import { type ParsedModule, parseModule } from "./parser.ts";
import type { CompileOptions, RegoModule, RuleInfo } from "./policy.ts";
import type { Program } from "./program.ts";
import { checkRecursion } from "./recursion.ts";
import { createResolver, type Globals } from "./resolve.ts";
import { pathName } from "./rule_names.ts";
import { buildRuleTree, type PackagedRule, type RuleNode } from "./rule_tree.ts";
import { createSafety } from "./safety.ts";
import { createUndeclaredChecker } from "./undeclared.ts";
import { eachTerm } from "./term_walk.ts";
import { checkTypes, type TypeChecker } from "./types/check_types.ts";
import type { Module } from "./ast.ts";
import type { RegoObject, Value } from "./values.ts";
import { Evaluation } from "./runtime.ts";
import { createProgram } from "./virtual.ts";

interface Warning {
  readonly message: string;
  readonly location: RegoLocation;
}

/** What queries are compiled against. */
export interface Compiled {
  readonly program: Program;
  readonly types: TypeChecker;
  readonly limits: Limits;
  /** Paths of rules that have a value in any case. */
  readonly defined: ReadonlySet<string>;
  readonly rules: readonly RuleInfo[];
  readonly warnings: readonly Warning[];
  /** A new one for each query: errors do not mix. */
  context(): CompileContext;
}

export function compileModules(
  modules: readonly RegoModule[],
  data: RegoObject,
  options: CompileOptions,
  limits: Limits,
): Compiled {
  const newContext = () => createCompileContext({ limits, builtins, printing: options.print !== undefined });
  const context = newContext();
  const parsed = parseAll(modules, limits);
  const names = ruleNames(parsed);
  const metadata = usesMetadata(modules) ? readMetadata(parsed, yamlReader(limits)) : undefined;
  const annotated = new Map<Rule, RuleMetadata>();
  const resolved: PackagedRule[] = [];
  for (const module of parsed) {
    const globals = moduleGlobals(context, module, names);
    const resolver = createResolver(context, globals);
    for (const written of module.rules) {
      const rule = resolver.rule(written);
      if (metadata) annotated.set(rule, metadata.of(module, written));
      resolved.push({ package: module.package, rule });
    }
  }
  context.check();
  const packages = parsed.map((module) => ({ package: module.package, loc: module.packageLoc }));
  // Functions must be known before calls are taken apart: the tree is built twice, first for the names.
  const written = buildRuleTree(context, packages, resolved);
  const defined = definedRules(written);
  context.check();
  const undeclared = createUndeclaredChecker(context);
  for (const { rule } of resolved) undeclared.rule(rule);
  context.check();
  const expander = createExpander(context, { defined, tree: written });
  const safety = createSafety(context);
  const flattener = createFlattener(context);
  const expanded = resolved.map(({ package: path, rule }) => ({
    package: path,
    rule: expander.rule(rule, annotated.get(rule)),
  }));
  const draft = buildRuleTree(context, packages, expanded);
  const calls = createCallChecker(context, draft);
  for (const { rule } of expanded) calls.rule(rule);
  context.check();
  const safe = expanded.map(({ package: path, rule }) => ({ package: path, rule: safety.rule(rule) }));
  context.check();
  const flat = safe.map(({ package: path, rule }) => ({ package: path, rule: flattener.rule(rule) }));
  const tree = buildRuleTree(context, packages, flat);
  const order = checkRecursion(context, tree);
  context.check();
  const types = checkTypes(context, tree, order);
  context.check();
  const program = createProgram({ tree, data, builtins, tracer: options.tracer, arity: context.arity });
  return {
    program,
    types,
    limits,
    defined,
    rules: tree.nodes.flatMap(ruleInfos),
    warnings: dataConflicts(tree.nodes, data),
    context() {
      const next = newContext();
      for (const [name, arity] of context.functions) next.functions.set(name, arity);
      return next;
    },
  };
}

/** Every module is read, so that all their errors are told at once. */
function parseAll(modules: readonly RegoModule[], limits: Limits): ParsedModule[] {
  const parsed: ParsedModule[] = [];
  const errors: RegoError[] = [];
  for (const { path, text } of modules) {
    try {
      parsed.push(parseModule(path, text, limits));
    } catch (error) {
      if (!(error instanceof RegoError) || error.code !== "rego_parse_error") throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new RegoError(errors.flatMap(({ diagnostics }) => diagnostics));
  return parsed;
}

/** Comments are read only when somebody asks for them: as in OPA, a wrong block hurts nobody else. */
function usesMetadata(modules: readonly RegoModule[]): boolean {
  return modules.some(({ text }) => text.includes("rego.metadata."));
}

function yamlReader(limits: Limits): (text: string) => Value | undefined {
  const unmarshal = builtins.get("yaml.unmarshal");
  const random = (bytes: number) => new Uint8Array(bytes);
  const evaluation = new Evaluation({ limits, clock: () => 0n, random, strict: false, print: undefined });
  return (text) => {
    try {
      return unmarshal?.call(evaluation, [text]);
    } catch (error) {
      if (error instanceof RegoBuiltinError) return undefined;
      throw error;
    }
  };
}

/** The first names of all rules, by package. */
function ruleNames(modules: readonly Module[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const { package: path, rules } of modules) {
    const key = pathName(path);
    const known = names.get(key) ?? new Set();
    for (const { head } of rules) known.add(head.name.name);
    names.set(key, known);
  }
  return names;
}

function moduleGlobals(context: CompileContext, module: Module, names: Map<string, Set<string>>): Globals {
  const globals = new Map<string, readonly string[]>();
  for (const name of names.get(pathName(module.package)) ?? []) globals.set(name, ["data", ...module.package, name]);
  const imported = new Set<string>();
  for (const { path, alias, loc } of module.imports) {
    if (path[0] === "future" || path[0] === "rego") continue;
    const name = alias ?? path.at(-1) as string;
    if (imported.has(name)) {
      context.report("rego_compile_error", `import must not shadow import ${path.join(".")}`, loc);
    }
    imported.add(name);
    if (name !== "input" && name !== "data") globals.set(name, path);
  }
  for (const { head } of module.rules) {
    const { name, loc } = head.name;
    if (name === "input" || name === "data") {
      context.report("rego_compile_error", `rules must not shadow ${name} (use a different rule name)`, loc);
    }
  }
  return globals;
}

/** A base document where a rule is, is hidden by it. */
function dataConflicts(nodes: readonly RuleNode[], data: RegoObject): Warning[] {
  const warnings: Warning[] = [];
  for (const node of nodes) {
    if (node.kind === undefined) continue;
    let value: Value | undefined = data;
    for (const key of node.path) value = value instanceof Object && "get" in value ? value.get(key) : undefined;
    const location = (node.rules[0]?.rule ?? node.fallback)?.head.loc;
    if (value === undefined || location === undefined) continue;
    warnings.push({ message: `the rule hides the data document at ${pathName(node.path)}`, location });
  }
  return warnings;
}

function ruleInfos(node: RuleNode): RuleInfo[] {
  const ref = pathName(node.path);
  const rules = node.rules.map(({ rule }) => rule);
  if (node.fallback) rules.push(node.fallback);
  return rules.map((rule) => ({
    ref,
    isFunction: rule.head.args !== undefined,
    location: rule.loc,
    expressions: ruleLocations(rule),
  }));
}

function ruleLocations(rule: Rule): RegoLocation[] {
  const locations: RegoLocation[] = [];
  const visit = (body: Body): void => {
    for (const expr of body) {
      if (!expr.generated) locations.push(expr.loc);
      eachTerm(expr, () => {}, visit);
    }
  };
  for (let next: Rule | undefined = rule; next; next = next.otherwise) visit(next.body);
  return locations;
}
