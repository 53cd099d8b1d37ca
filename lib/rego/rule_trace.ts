// SPDX-License-Identifier: Apache-2.0
/** Tells a tracer which rules are tried and which of them hold. */

import type { Rule } from "./ast.ts";
import type { Program } from "./program.ts";
import { pathName } from "./rule_names.ts";
import type { RuleNode } from "./rule_tree.ts";
import type { Step } from "./runtime.ts";

/** Without a tracer it is `step` itself. */
export function traceRule({ tracer }: Program, node: RuleNode, rule: Rule, step: Step): Step {
  if (!tracer?.enter && !tracer?.leave) return step;
  const name = pathName(node.path);
  return (frame) => {
    tracer.enter?.(name, rule.loc);
    const stop = step(frame);
    tracer.leave?.(name, rule.loc, frame.out !== undefined);
    return stop;
  };
}
