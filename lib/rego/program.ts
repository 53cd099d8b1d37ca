// SPDX-License-Identifier: Apache-2.0
/** What compiled code refers to while it runs: the rules of the policy as functions, the builtins, the documents. */

import type { Builtin } from "./builtins/builtin.ts";
import type { Cont, Frame, Scope } from "./runtime.ts";
import type { Element } from "./lookup.ts";
import type { PartialTree } from "./partial_object.ts";
import type { Tracer } from "./policy.ts";
import type { RuleNode, RuleTree } from "./rule_tree.ts";
import type { RegoObject, Value } from "./values.ts";

/** The rules at one path, ready to run. */
export interface NodeProgram {
  /** The value of a rule without parameters, cached in the scope. */
  value(scope: Scope): Value | undefined;
  /** The value of a function. */
  call(scope: Scope, args: readonly Value[]): Value | undefined;
  /** The value of a partial rule in as far as its member at `keys` needs it. */
  part?(scope: Scope, keys: readonly Value[]): Value | undefined;
  /** Puts what partial rules give into a tree that others fill too; only for paths with variables. */
  fill?(scope: Scope, tree: PartialTree): void;
}

export interface Program {
  readonly tree: RuleTree;
  readonly data: RegoObject;
  readonly builtins: ReadonlyMap<string, Builtin>;
  readonly tracer: Tracer | undefined;
  /** Number of parameters of a function; -1 when there is none of this name. */
  arity(operator: readonly string[]): number;
  /** By the index of the node; filled while compiling, complete before anything runs. */
  readonly nodes: NodeProgram[];
  /** Gives `then` every value of a reference into `data` from `node` on. */
  walkNode(frame: Frame, node: RuleNode, path: readonly Element[], index: number, then: Cont): boolean;
  /** Everything at and below a node: rules over base documents. */
  extent(scope: Scope, node: RuleNode): Value | undefined;
  /** Value of `node` in as far as its member at `keys` needs it. */
  part(scope: Scope, node: RuleNode, keys: readonly Value[]): Value | undefined;
}
