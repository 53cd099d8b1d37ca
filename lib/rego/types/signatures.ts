// SPDX-License-Identifier: Apache-2.0
/** What functions take and give: builtins by their table, those of the language itself here. */

import { anyType, arrayType, booleanType, type Builtin, tupleType } from "../builtins/builtin.ts";
import type { Signature } from "./documents.ts";

/** Called like builtins, but made by the compiler; all of them take anything. */
const OF_THE_LANGUAGE: ReadonlyMap<string, Signature> = new Map([
  ["internal.member_2", { args: [anyType, anyType], result: booleanType }],
  ["internal.member_3", { args: [anyType, anyType, anyType], result: booleanType }],
  ["walk", { args: [anyType], result: tupleType(arrayType(), anyType) }],
]);

export function builtinSignature(builtins: ReadonlyMap<string, Builtin>, name: string): Signature | undefined {
  return builtins.get(name) ?? OF_THE_LANGUAGE.get(name);
}
