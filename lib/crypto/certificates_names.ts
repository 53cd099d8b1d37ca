// SPDX-License-Identifier: Apache-2.0
/** Reads the names in certificates strictly: strings, numbers and kinds that not every peer reads are told. */

import type { GeneralName, Name } from "@peculiar/asn1-x509";
import { isIP } from "node:net";

/** One alternative name as it stands in the certificate. */
export interface FoundName {
  readonly type: "dns" | "ip" | "uri" | "email" | "other";
  readonly value: string;
}

/** URIs that Go's parser is sure to take: a scheme, a host and a path without escapes; or no host at all. */
const PLAIN_URI = /^[a-z][a-z0-9+.-]*:(\/\/[a-z0-9-]+(\.[a-z0-9-]+)*)?(\/[a-z0-9._~-]*)*$/i;

/** Numbers above 31 bits are refused by Go wherever one may stand. */
export function isPlainOid(oid: string): boolean {
  return oid.split(".").every((arc) => Number(arc) < 2 ** 31);
}

/** Says why not every peer reads a distinguished name: Go reads no other strings, and checks the characters of these. */
export function nameProblem(name: Name): string | undefined {
  for (const { type, value } of name.flatMap((part) => [...part])) {
    if (!isPlainOid(type)) return "a number in its names is too large";
    const { printableString, utf8String, ia5String } = value;
    const isRight = printableString !== undefined
      ? /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(printableString)
      : utf8String !== undefined || (ia5String !== undefined && isAscii(ia5String));
    if (!isRight) return "its names hold a string that not every peer reads";
  }
  return undefined;
}

/** Says why not every peer reads a list of general names (RFC 5280 section 4.2.1.6). */
export function generalNamesProblem(names: readonly GeneralName[]): string | undefined {
  for (const name of names) {
    const { type, value } = foundName(name);
    if (name.directoryName !== undefined) {
      const problem = nameProblem(name.directoryName);
      if (problem !== undefined) return problem;
    } else if (name.registeredID !== undefined) {
      if (!isPlainOid(name.registeredID)) return "a number in its names is too large";
    } else if (type === "other") return "it has a name of a kind that is not understood here";
    else if (!isAscii(value)) return "one of its names is not ASCII";
    else if (type === "uri" && !PLAIN_URI.test(value)) return `its URI ${value} is none that is understood here`;
    else if (type === "ip" && isIP(value) === 0) return "its IP address is none";
  }
  return undefined;
}

/** A name as it stands there, not checked: generalNamesProblem() does that. */
export function foundName(name: GeneralName): FoundName {
  if (name.dNSName !== undefined) return { type: "dns", value: name.dNSName };
  if (name.iPAddress !== undefined) return { type: "ip", value: name.iPAddress };
  if (name.uniformResourceIdentifier !== undefined) return { type: "uri", value: name.uniformResourceIdentifier };
  if (name.rfc822Name !== undefined) return { type: "email", value: name.rfc822Name };
  return { type: "other", value: "a name of another kind" };
}

function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex -- the characters of an IA5String are what is looked for.
  return /^[\u0000-\u007f]*$/.test(text);
}
