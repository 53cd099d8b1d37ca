// SPDX-License-Identifier: Apache-2.0
/** Finds what a builtin takes and gives. */

import { anyType, arrayType, type Builtin, tupleType } from "../builtins/builtin.ts";
import type { Signature } from "./documents.ts";

/** Not in the table of builtins: it gives many values, so the compiler makes a loop of it. */
const WALK: Signature = { args: [anyType], result: tupleType(arrayType(), anyType) };

export function builtinSignature(builtins: ReadonlyMap<string, Builtin>, name: string): Signature | undefined {
  return name === "walk" ? WALK : builtins.get(name);
}
