// SPDX-License-Identifier: Apache-2.0
/** Every builtin a policy may call, by name. */

import type { Builtin } from "./builtin.ts";

/** The table that the compiler and the evaluator look names up in. */
export const builtins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>();
