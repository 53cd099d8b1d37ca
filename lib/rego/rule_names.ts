// SPDX-License-Identifier: Apache-2.0
/** Writes paths below `data` as text: unambiguous, so that equal texts are equal paths. */

import { formatJson } from "./json.ts";
import type { Value } from "./values.ts";

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `data.a["b c"][1]` for `["a", "b c", 1]`. */
export function pathName(path: readonly Value[]): string {
  let name = "data";
  for (const part of path) {
    name += typeof part === "string" && IDENTIFIER.test(part) ? `.${part}` : `[${formatJson(part)}]`;
  }
  return name;
}

/** The name of a function: of the policy by its path, a builtin as it is written. */
export function operatorName(operator: readonly string[]): string {
  return operator[0] === "data" ? pathName(operator.slice(1)) : operator.join(".");
}
