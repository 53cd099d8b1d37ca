// SPDX-License-Identifier: Apache-2.0
/** Takes the alternative names of a request or an older certificate over into a new one, by the rules for `--san`. */

import { PeerctlError } from "../errors.ts";
import type { FoundName } from "./certificates_names.ts";
import { type AlternativeName, parseAlternativeNames } from "./subject_alternative_name.ts";

/**
 * Reads the names that were found in `source`.
 *
 * @throws {PeerctlError} kind "config" for names of a kind that is not offered, and for ones that --san would refuse.
 */
export function copyNames(found: readonly FoundName[], source: string): AlternativeName[] {
  const refuse = (why: string, cause?: unknown) =>
    new PeerctlError("config", `Cannot take over the names of ${source}: ${why}`, {
      cause,
      hint: "give the names yourself, with --san",
    });
  const names = found.map(({ type, value }): AlternativeName => {
    if (type === "email" || type === "other") throw refuse("there are others than DNS names, IP addresses and URIs");
    let name: AlternativeName | undefined;
    try {
      [name] = parseAlternativeNames([value]);
    } catch (error) {
      throw refuse((error as Error).message, error);
    }
    // A DNS name "10.0.0.1" must not become an address.
    if (name?.type !== type) throw refuse(`${JSON.stringify(value)} is there as a name of type ${type}`);
    return name;
  });
  try {
    return parseAlternativeNames(names.map(({ value }) => value));
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
}
