// SPDX-License-Identifier: Apache-2.0
/** Says whether a certificate is for a name, by the stricter of OpenSSL's and Go's rules. */

import type { FoundName } from "./certificates_names.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** A label as host names have it: OpenSSL lets "*" stand for no other, and wants no other behind it. */
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Fewest labels behind "*." (OpenSSL's X509_check_host(3): "*.com" matches nothing). */
const MIN_LABELS_BEHIND_STAR = 2;

/** Looks at alternative names only: a common name is not a name of a peer any more (RFC 9525 section 2). */
export function isForName(found: readonly FoundName[], name: AlternativeName): boolean {
  return found.some(({ type, value }) => {
    if (type !== name.type) return false;
    switch (type) {
      case "dns":
        return value.toLowerCase() === name.value || wildcardMatches(value.toLowerCase(), name.value);
      case "ip":
        return canonicalIp(value) === canonicalIp(name.value);
      default:
        return value === name.value;
    }
  });
}

function wildcardMatches(pattern: string, host: string): boolean {
  const [star, ...behind] = pattern.split(".");
  const [first, ...rest] = host.split(".");
  return star === "*" && behind.length >= MIN_LABELS_BEHIND_STAR && behind.every((label) => HOST_LABEL.test(label)) &&
    HOST_LABEL.test(first!) && rest.join(".") === behind.join(".");
}

/** One text for each address. A version 4 address inside version 6 stays version 6. */
function canonicalIp(text: string): string | undefined {
  return URL.parse(`http://${text.includes(":") ? `[${text}]` : text}`)?.hostname;
}
