// SPDX-License-Identifier: Apache-2.0
/** What `peerctl certgen` makes of its flags: new files, a signed request, or renewed files. */

import { statSync } from "node:fs";
import { join } from "node:path";
import {
  anchorFile,
  type CertificateFile,
  certificateFile,
  createCertificateSet,
  type Side,
  SIDES,
} from "../lib/crypto/certificate_set.ts";
import type { AuthorityFiles, ExistingAuthority } from "../lib/crypto/certificates_authority.ts";
import { DAY_MS } from "../lib/crypto/expiry.ts";
import { parseSubject } from "../lib/crypto/subject.ts";
import { parseAlternativeNames } from "../lib/crypto/subject_alternative_name.ts";
import { PeerctlError, throwProblems } from "../lib/errors.ts";
import { readSmallFile } from "../lib/net/tls_files.ts";
import { checkFileSet } from "../lib/os/file_set.ts";
import { looseModeProblem } from "../lib/os/private_file.ts";
import { type CertgenValues, DEFAULT_DAYS, DEFAULT_KEY_TYPE } from "./certgen_flags.ts";

export interface Made {
  readonly files: readonly CertificateFile[];
  /** What an operator should know, a line each. */
  readonly notes: readonly string[];
}

/** The names and the subject that the flags ask for; with problems in both, both are reported. */
export function readIdentity(values: CertgenValues) {
  const problems: unknown[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(error);
      return undefined;
    }
  };
  const names = attempt(() => parseAlternativeNames(values.san));
  const subject = attempt(() => values.subject === "" ? [] : parseSubject(values.subject));
  throwProblems(problems);
  return { names: names!, subject: subject! };
}

/** The sides of mutual TLS that certificates are made for; the server first, for it has the names of --san. */
export function sidesOf({ serverOnly, clientOnly }: CertgenValues): Side[] {
  return serverOnly ? ["server"] : clientOnly ? ["client"] : ["server", "client"];
}

/** Makes a new set, or the part of it that is wanted; `dir` is where it will be written, if anywhere. */
export async function makeSet(values: CertgenValues, dir: string | undefined): Promise<Made> {
  const identity = readIdentity(values);
  const sides = sidesOf(values), now = new Date();
  const days = values.days ?? DEFAULT_DAYS, keyType = values.keyType ?? DEFAULT_KEY_TYPE;
  const hasCa = values.caCert !== "";
  const names = [...(hasCa ? [] : ["ca.crt", "ca.key"]), ...sides.flatMap((side) => namesOf(side))];
  // Before any key is made: that can take seconds.
  if (dir !== undefined && !values.force) await checkFileSet(dir, names);
  if (!hasCa) return { files: await createCertificateSet({ ...identity, keyType, days, now, sides }), notes: [] };
  const { files, notes } = readAuthorityFiles(values);
  const { readAuthority } = await import("../lib/crypto/certificates_authority.ts");
  const authority = readAuthority(files, { now, usages: sides });
  return {
    files: await createCertificateSet({ ...identity, keyType, days, now, sides, authority }),
    notes: [...notes, ...authority.notes, ...clipNotes(authority, now, days)],
  };
}

/** Signs the request of --csr. */
export async function signRequest(values: CertgenValues, dir: string): Promise<Made> {
  const identity = readIdentity(values);
  const [side] = sidesOf(values) as [Side];
  const now = new Date(), days = values.days ?? DEFAULT_DAYS;
  const { file, purpose } = SIDES[side];
  if (!values.force) await checkFileSet(dir, [`${file}.crt`]);
  const { files, notes } = readAuthorityFiles(values);
  const { readAuthority } = await import("../lib/crypto/certificates_authority.ts");
  const { readSigningRequest } = await import("../lib/crypto/certificates_request.ts");
  const authority = readAuthority(files, { now, usages: [side] });
  const request = readSigningRequest(readSmallFile(values.csr, "request"), `request file "${values.csr}"`);
  const asked = values.copySans ? request.names().map(({ value }) => value) : [];
  const names = parseAlternativeNames([...values.san, ...asked]);
  if (names.length === 0) {
    throw new PeerctlError("config", `Cannot sign request file "${values.csr}": it asks for no names`, {
      hint: "give them with --san",
    });
  }
  const { cert } = authority.certify({
    subject: identity.subject.length > 0 ? identity.subject : request.subject,
    keyType: request.keyType,
    publicKey: request.publicKey,
    names,
    usage: side,
    now,
    validMs: days * DAY_MS,
  });
  const signed = certificateFile(file, cert + authority.chain, purpose);
  return {
    files: [...anchorFile(authority), signed],
    notes: [
      ...notes,
      ...authority.notes,
      ...clipNotes(authority, now, days),
      // The subject is the sender's choice, and a peer may let in whoever has a certain one.
      `signed for ${signed.certificate!.subject || "no subject"}, names ${
        names.map(({ value }) => value).join(", ")
      }, ` +
      `key of type ${request.keyType}`,
    ],
  };
}

/** Renews the certificates in the directory of --renew. */
export async function renew(values: CertgenValues): Promise<Made> {
  const dir = values.renew;
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new PeerctlError("config", `Cannot renew "${dir}": it is no directory`);
  }
  const sides = sidesOf(values).filter((side) => exists(join(dir, `${SIDES[side].file}.crt`)));
  if (sides.length === 0) {
    const wanted = sidesOf(values).map((side) => `${SIDES[side].file}.crt`).join(" and no ");
    throw new PeerctlError("config", `Cannot renew "${dir}": there is no ${wanted} in it`);
  }
  for (const side of sides) {
    const [cert, key] = namesOf(side);
    if (exists(join(dir, key))) continue;
    throw new PeerctlError("config", `Cannot renew "${join(dir, cert)}": there is no ${key} beside it`, {
      hint: "the key of a signed request is its sender's: sign a new request with --csr, and renew the other " +
        "certificate with --server-only or --client-only",
    });
  }
  const ownsAuthority = values.caCert === "";
  if (ownsAuthority && !exists(join(dir, "ca.key"))) {
    throw new PeerctlError("config", `Cannot renew "${dir}": there is no ca.key in it`, {
      hint: "give the CA with --ca-cert and --ca-key",
    });
  }
  const ca = ownsAuthority ? { caCert: join(dir, "ca.crt"), caKey: join(dir, "ca.key") } : values;
  const { files: authority, notes } = readAuthorityFiles(ca);
  const { renewCertificates } = await import("../lib/crypto/certificate_renewal.ts");
  const old = Object.fromEntries(sides.map((side) => {
    const path = join(dir, `${SIDES[side].file}.crt`);
    return [side, { cert: readSmallFile(path, "certificate"), name: `certificate file "${path}"` }];
  }));
  const renewal = await renewCertificates({ old, authority, ownsAuthority, days: values.days, now: new Date() });
  return { files: renewal.files, notes: [...notes, ...renewal.notes] };
}

function readAuthorityFiles(
  { caCert, caKey }: Pick<CertgenValues, "caCert" | "caKey">,
): { files: AuthorityFiles; notes: string[] } {
  const files = {
    cert: readSmallFile(caCert, "CA"),
    key: readSmallFile(caKey, "CA key"),
    certName: `CA file "${caCert}"`,
    keyName: `CA key file "${caKey}"`,
  };
  const problem = looseModeProblem(caKey);
  return { files, notes: problem === undefined ? [] : [`warning: ${files.keyName}: ${problem}`] };
}

function clipNotes(authority: ExistingAuthority, now: Date, days: number): string[] {
  if (authority.notAfter.getTime() >= now.getTime() + days * DAY_MS) return [];
  return [`the certificates end with their CA, on ${authority.notAfter.toISOString()}, not after ${days} days`];
}

function namesOf(side: Side): [cert: string, key: string] {
  const { file } = SIDES[side];
  return [`${file}.crt`, `${file}.key`];
}

/** Whether a file has exactly this content. */
export function isThere(dir: string, name: string, content: string): boolean {
  const path = join(dir, name);
  return exists(path) && readSmallFile(path, "CA") === content;
}

export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
