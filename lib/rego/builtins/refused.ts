// SPDX-License-Identifier: Apache-2.0
/** Names the builtins of OPA that a policy may not call here, each with the reason given when it is loaded. */

const REACHES_OUT = "it reaches out of the process or reads its environment";
const NOT_OFFERED = "no decision of peerctl needs it, so it is not offered";

/**
 * Refused when the policy is loaded, whether or not the call would ever be reached.
 *
 * A key that ends in "." names a whole family by its prefix. `crypto.parse_private_keys` stands with
 * `crypto.x509.*`: it brings private keys into policy values, where they would end up in results and traces.
 */
const refusedBuiltins: ReadonlyMap<string, string> = new Map([
  ["http.send", REACHES_OUT],
  ["net.lookup_ip_addr", REACHES_OUT],
  ["opa.runtime", REACHES_OUT],
  ["rego.parse_module", NOT_OFFERED],
  ["providers.aws.", REACHES_OUT],
  ["graphql.", NOT_OFFERED],
  ["json.match_schema", NOT_OFFERED],
  ["json.verify_schema", NOT_OFFERED],
  ["strings.render_template", NOT_OFFERED],
  ["crypto.x509.", NOT_OFFERED],
  ["test.sleep", "it belongs to the tests of OPA"],
  ["crypto.parse_private_keys", "it brings private keys into policy values"],
]);

/** Builtins that Rego v1 took away, and what to write instead. */
export const deprecatedBuiltins: ReadonlyMap<string, string> = new Map([
  ["all", "every x in xs { x }"],
  ["any", "true in xs"],
  ["cast_array", "is_array"],
  ["cast_boolean", "is_boolean"],
  ["cast_null", "is_null"],
  ["cast_object", "is_object"],
  ["cast_set", "is_set"],
  ["cast_string", "is_string"],
  ["net.cidr_overlap", "net.cidr_contains"],
  ["re_match", "regex.match"],
  ["set_diff", "a - b"],
]);

/** Why `name` is refused, or undefined when it is not on the list. */
export function refusalOf(name: string): string | undefined {
  const exact = refusedBuiltins.get(name);
  if (exact !== undefined) return exact;
  for (const [key, reason] of refusedBuiltins) {
    if (key.endsWith(".") && name.startsWith(key)) return reason;
  }
  return undefined;
}
