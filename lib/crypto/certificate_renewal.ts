// SPDX-License-Identifier: Apache-2.0
/** Renews the files of manual mutual TLS: same names, subjects and kinds of key; new keys and a new validity. */

import { PeerctlError } from "../errors.ts";
import {
  anchorFile,
  authorityFiles,
  type CertificateFile,
  issueLeaves,
  type Leaf,
  type Side,
  SIDES,
} from "./certificate_set.ts";
import type { AuthorityFiles } from "./certificates_authority.ts";
import { copyNames } from "./copied_names.ts";
import { DAY_MS } from "./expiry.ts";
import { generateKeyPair, KEY_TYPES, keyTypeOf } from "./keys.ts";

export interface RenewalOptions {
  /** The certificates that are there, by side: PEM texts, and what errors call them. */
  readonly old: Readonly<Partial<Record<Side, { readonly cert: string; readonly name: string }>>>;
  readonly authority: AuthorityFiles;
  /** True: the CA is part of the set, and is renewed with it if it ends too soon. */
  readonly ownsAuthority: boolean;
  /** As long as each certificate was valid before, if absent. */
  readonly days?: number | undefined;
  readonly now: Date;
}

export interface Renewal {
  readonly files: readonly CertificateFile[];
  /** What was renewed, and what an operator should know, a line each. */
  readonly notes: readonly string[];
}

/**
 * Renews what is in `old`.
 *
 * The CA stays, so that worker nodes and pod VMs can be given their new files one after the other. One that ends too
 * soon is made anew with the same key and name: then the old ca.crt verifies the new certificates as well, as long as it is
 * valid, and the new one the old certificates.
 *
 * @throws {PeerctlError} kind "config" for a certificate that cannot be taken as a pattern, and as readAuthority().
 */
export async function renewCertificates(o: RenewalOptions): Promise<Renewal> {
  const { readAuthority, readRenewedAuthority } = await import("./certificates_authority.ts");
  const { readCertificates } = await import("./certificates_read.ts");
  const sides = (Object.keys(SIDES) as Side[]).filter((side) => o.old[side] !== undefined);
  const olds = sides.map((side) => {
    const { cert, name } = o.old[side]!;
    const [leaf] = readCertificates(new TextEncoder().encode(cert), name);
    const keyType = keyTypeOf(leaf.x509.publicKey);
    const refuse = (why: string) =>
      new PeerctlError("config", `Cannot renew ${name}: ${why}`, {
        hint: "make a new one instead, with --ca-cert, --ca-key and --san",
      });
    if (keyType === undefined) {
      throw refuse(`its key is of type ${leaf.key?.type ?? "unknown"}, none of ${KEY_TYPES.join(", ")}`);
    }
    if (side === "server" && (leaf.names ?? []).length === 0) throw refuse("it has no alternative name");
    const validMs = o.days === undefined ? lifetime(leaf) : o.days * DAY_MS;
    const subject = Uint8Array.fromHex(leaf.subjectDer);
    return { leaf, made: { side, keyType, validMs, subject, names: copyNames(leaf.names ?? [], name) } };
  });
  const leaves = olds.map(({ made }): Leaf => ({ ...made, keys: generateKeyPair(made.keyType) }));
  const needs = { now: o.now, usages: sides };
  const until = new Date(o.now.getTime() + Math.max(...leaves.map(({ validMs }) => validMs)));
  const authority = o.ownsAuthority
    ? readRenewedAuthority(o.authority, { ...needs, until })
    : { ...readAuthority(o.authority, needs), isRenewed: false };
  const renewed = await issueLeaves(leaves, authority, o.now);
  const day = (date: Date | undefined) => date?.toISOString().slice(0, "2026-01-01".length);
  return {
    files: [
      ...(authority.isRenewed ? authorityFiles(authority) : o.ownsAuthority ? [] : anchorFile(authority)),
      ...renewed,
    ],
    notes: [
      ...(authority.isRenewed
        ? [`renewed ca.crt: until ${day(authority.notAfter)}, with the same key: old and new files go together`]
        : [`kept the CA, which is valid until ${day(authority.notAfter)}`]),
      ...olds.map(({ leaf, made }) => {
        const { file } = SIDES[made.side];
        const now = renewed.find(({ name }) => name === `${file}.crt`)?.certificate;
        const names = made.names.map(({ value }) => value).join(", ");
        return `renewed ${file}.crt: until ${day(now?.notAfter)} instead of ${day(leaf.notAfter)}, for ${names}`;
      }),
      ...authority.notes,
    ],
  };
}

/** How long a certificate was made for, in milliseconds: whole days, for its begin lies a little before it was made. */
function lifetime({ notBefore, notAfter }: { notBefore: Date; notAfter: Date }): number {
  return Math.max(1, Math.floor((notAfter.getTime() - notBefore.getTime()) / DAY_MS)) * DAY_MS;
}
