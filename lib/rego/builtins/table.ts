// SPDX-License-Identifier: Apache-2.0
/** Every builtin a policy may call, by name. */

import { aggregates } from "./aggregates.ts";
import { arrays } from "./arrays.ts";
import { bits } from "./bits.ts";
import type { Builtin } from "./builtin.ts";
import { comparisons } from "./comparison.ts";
import { conversions } from "./conversions.ts";
import { crypto } from "./crypto.ts";
import { encodings } from "./encoding.ts";
import { globs } from "./glob.ts";
import { graphs } from "./graph.ts";
import { json } from "./json_builtins.ts";
import { jsonPatch } from "./json_patch.ts";
import { jsonPaths } from "./json_paths.ts";
import { jwts } from "./jwt.ts";
import { nets } from "./net.ts";
import { numbers } from "./numbers.ts";
import { objects } from "./objects.ts";
import { regexes } from "./regex.ts";
import { replacement } from "./replacement.ts";
import { semver } from "./semver.ts";
import { sets } from "./sets.ts";
import { sprintf } from "./sprintf.ts";
import { strings } from "./strings.ts";
import { times } from "./time.ts";
import { tracing } from "./tracing.ts";
import { types } from "./types.ts";
import { units } from "./units.ts";
import { uris } from "./uri.ts";
import { urlqueries } from "./urlquery.ts";
import { uuids } from "./uuid.ts";
import { yaml } from "./yaml.ts";

/**
 * The table that the compiler and the evaluator look names up in.
 *
 * Not in it, because they are part of the language and made by the compiler: eq, assign, print, walk and
 * rego.metadata.*. The names that are refused stand in refused.ts.
 */
export const builtins: ReadonlyMap<string, Builtin> = new Map(
  [
    aggregates,
    arrays,
    bits,
    comparisons,
    conversions,
    crypto,
    encodings,
    globs,
    graphs,
    json,
    jsonPatch,
    jsonPaths,
    jwts,
    nets,
    numbers,
    objects,
    regexes,
    replacement,
    semver,
    sets,
    sprintf,
    strings,
    times,
    tracing,
    types,
    units,
    uris,
    urlqueries,
    uuids,
    yaml,
  ].flat().map((builtin) => [builtin.name, builtin]),
);
