// SPDX-License-Identifier: Apache-2.0
/** Who a client is by its certificate, and whether it may speak at all. */

import type { X509Certificate } from "node:crypto";

/** As Kubernetes reads client certificates: the common name is the user, the organisations are the groups. */
export interface Caller {
  readonly name: string;
  readonly groups: readonly string[];
}

export interface KnownCaller extends Caller {
  /** The end of its certificate, in milliseconds since 1970: a connection can outlive it. */
  readonly notAfter: number;
}

export interface AllowedCallers {
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** The parts of a subject that are read; a value that came several times is a list. */
interface LegacySubject {
  readonly CN?: string | readonly string[];
  readonly O?: string | readonly string[];
}

/**
 * Reads a caller's name; undefined when the certificate has no common name, or several, of which kubelets would take one.
 *
 * The subject's text form cannot be used: a value with a line break in it looks like two.
 */
export function callerOf(certificate: X509Certificate): KnownCaller | undefined {
  const { CN, O = [] } = certificate.toLegacyObject().subject as unknown as LegacySubject ?? {};
  if (typeof CN !== "string" || CN === "") return undefined;
  const groups = typeof O === "string" ? [O] : [...O];
  return { name: CN, groups, notAfter: certificate.validToDate.getTime() };
}

/** True when the user or one of its groups is listed. */
export function isAllowed(caller: Caller, { users, groups }: AllowedCallers): boolean {
  return users.includes(caller.name) || caller.groups.some((group) => groups.includes(group));
}
