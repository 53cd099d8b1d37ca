// SPDX-License-Identifier: Apache-2.0
/** What the stages of the compiler share: errors found so far, fresh names, builtins, functions. */

import type { Builtin } from "./builtins/builtin.ts";
import { type Limits, type RegoDiagnostic, RegoError, type RegoErrorCode, type RegoLocation } from "./limits.ts";
import { operatorName } from "./rule_names.ts";

/** More errors than this help nobody. */
const MAX_DIAGNOSTICS = 10;

export interface CompileContext {
  readonly limits: Limits;
  readonly builtins: ReadonlyMap<string, Builtin>;
  /** Without a receiver of printed lines, print() is taken out. */
  readonly printing: boolean;
  /** Notes an error; the stage goes on where it can. */
  report(code: RegoErrorCode, message: string, location?: RegoLocation, hint?: string): void;
  /** @throws {RegoError} with everything noted so far, if anything. */
  check(): void;
  /** A variable name that no policy text can hold. */
  fresh(): string;
  /** Number of parameters of a builtin or a function of the policy; -1 when there is no such function. */
  arity(operator: readonly string[]): number;
  /** Knows the functions of the policy by dotted path. */
  readonly functions: Map<string, number>;
}

export function createCompileContext(
  options: { limits: Limits; builtins: ReadonlyMap<string, Builtin>; printing: boolean },
): CompileContext {
  const diagnostics: RegoDiagnostic[] = [];
  const functions = new Map<string, number>();
  let names = 0;
  return {
    ...options,
    functions,
    report(code, message, location, hint) {
      const isKnown = diagnostics.some((known) =>
        known.message === message && known.location?.line === location?.line && known.location?.file === location?.file
      );
      if (!isKnown) diagnostics.push({ code, message, location, hint });
    },
    check() {
      if (diagnostics.length === 0) return;
      diagnostics.sort((a, b) =>
        (a.location?.file ?? "").localeCompare(b.location?.file ?? "") ||
        (a.location?.line ?? 0) - (b.location?.line ?? 0) || (a.location?.column ?? 0) - (b.location?.column ?? 0)
      );
      throw new RegoError(diagnostics.slice(0, MAX_DIAGNOSTICS));
    },
    fresh: () => `$${names++}`,
    arity(operator) {
      const name = operatorName(operator);
      if (operator[0] === "data") return functions.get(name) ?? -1;
      return options.builtins.get(name)?.args.length ?? INTERNAL_ARITY.get(name) ?? -1;
    },
  };
}

/** Functions of the compiler itself. */
const INTERNAL_ARITY = new Map([
  ["eq", 2],
  ["internal.member_2", 2],
  ["internal.member_3", 3],
  ["internal.template_string", 1],
  ["internal.print", 1],
  ["walk", 1],
]);

/** The name that the policy's author wrote. */
export function writtenName(name: string): string {
  const mark = name.indexOf("#");
  if (mark >= 0) return name.slice(0, mark);
  return name.startsWith("_$") ? "_" : name;
}

/** Made by the compiler, so an error should not name it. */
export function isGenerated(name: string): boolean {
  return name.startsWith("$");
}
