// SPDX-License-Identifier: Apache-2.0
/** Reads the extensions of certificates and requests strictly: what is not understood is told, never skipped over. */

import { AsnParser, AsnSerializer } from "@peculiar/asn1-schema";
import {
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CertificatePolicies,
  CRLDistributionPoints,
  ExtendedKeyUsage,
  type Extension,
  KeyUsage,
  KeyUsageFlags,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { type FoundName, foundName, generalNamesProblem, isPlainOid } from "./certificates_names.ts";

export interface ExtensionFacts {
  /** Undefined without basicConstraints. */
  isCa: boolean | undefined;
  pathLength: number | undefined;
  /** Names of RFC 5280 section 4.2.1.3; undefined without the extension. */
  keyUsages: readonly string[] | undefined;
  /** Known ones by name (serverAuth), others by number; undefined without the extension. */
  extendedKeyUsages: readonly string[] | undefined;
  /** Undefined without the extension. */
  names: readonly FoundName[] | undefined;
  /** Key identifiers, in hexadecimal. */
  subjectKeyId: string | undefined;
  authorityKeyId: AuthorityKeyFacts | undefined;
  /** Numbers or names of extensions marked critical. */
  critical: readonly string[];
  /** Why a strict verifier refuses what is in here; each goes on from "Cannot use …: ". */
  problems: readonly string[];
}

export interface AuthorityKeyFacts {
  readonly keyId: string | undefined;
  /** In hexadecimal. */
  readonly serial: string | undefined;
  /** DER of the issuer's issuer, in hexadecimal. */
  readonly issuerDer: string | undefined;
}

type Draft = { -readonly [K in keyof ExtensionFacts]: ExtensionFacts[K] } & { problems: string[] };

interface Reader {
  readonly name: string;
  /** Go and OpenSSL refuse the others when they are marked critical (RFC 5280 section 4.2.1.1 and others). */
  readonly mayBeCritical: boolean;
  readonly schema: new () => object;
  read?(value: unknown, into: Draft, isCritical: boolean): void;
}

/** Extensions that are understood, by number. */
const READERS: Readonly<Record<string, Reader>> = {
  "2.5.29.14": {
    name: "subjectKeyIdentifier",
    mayBeCritical: false,
    schema: SubjectKeyIdentifier,
    read: readSubjectKeyId,
  },
  "2.5.29.15": { name: "keyUsage", mayBeCritical: true, schema: KeyUsage, read: readKeyUsage },
  "2.5.29.17": { name: "subjectAltName", mayBeCritical: true, schema: SubjectAlternativeName, read: readNames },
  "2.5.29.19": { name: "basicConstraints", mayBeCritical: true, schema: BasicConstraints, read: readConstraints },
  "2.5.29.31": { name: "cRLDistributionPoints", mayBeCritical: false, schema: CRLDistributionPoints, read: readPoints },
  "2.5.29.32": { name: "certificatePolicies", mayBeCritical: true, schema: CertificatePolicies, read: readPolicies },
  "2.5.29.35": {
    name: "authorityKeyIdentifier",
    mayBeCritical: false,
    schema: AuthorityKeyIdentifier,
    read: readAuthority,
  },
  "2.5.29.37": { name: "extKeyUsage", mayBeCritical: true, schema: ExtendedKeyUsage, read: readExtendedUsage },
  "1.3.6.1.5.5.7.1.1": {
    name: "authorityInfoAccess",
    mayBeCritical: false,
    schema: AuthorityInfoAccessSyntax,
    read: readAccess,
  },
};

/** Extensions by which other verifiers refuse a chain also when they are not critical; not implemented, so refused. */
const RESTRICTING: Readonly<Record<string, string>> = {
  "2.5.29.30": "nameConstraints",
  "2.5.29.33": "policyMappings",
  "2.5.29.36": "policyConstraints",
  "2.5.29.54": "inhibitAnyPolicy",
  "1.3.6.1.5.5.7.1.7": "ipAddrBlocks",
  "1.3.6.1.5.5.7.1.8": "autonomousSysIds",
  "1.3.6.1.5.5.7.1.14": "proxyCertInfo",
  "2.16.840.1.113730.1.1": "nsCertType",
};

const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  "1.3.6.1.5.5.7.3.1": "serverAuth",
  "1.3.6.1.5.5.7.3.2": "clientAuth",
  "1.3.6.1.5.5.7.3.3": "codeSigning",
  "1.3.6.1.5.5.7.3.4": "emailProtection",
  "1.3.6.1.5.5.7.3.8": "timeStamping",
  "1.3.6.1.5.5.7.3.9": "OCSPSigning",
  "2.5.29.37.0": "anyExtendedKeyUsage",
};

/** Reads all extensions of one certificate or request; what speaks against any of them is in `problems`. */
export function readExtensions(extensions: readonly Extension[]): ExtensionFacts {
  const into: Draft = {
    isCa: undefined,
    pathLength: undefined,
    keyUsages: undefined,
    extendedKeyUsages: undefined,
    names: undefined,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    critical: extensions.filter(({ critical }) => critical).map(({ extnID }) => extensionName(extnID)),
    problems: [],
  };
  const ids = extensions.map(({ extnID }) => extnID);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) {
    into.problems.push(`it has the extension ${extensionName(id)} twice`);
  }
  for (const { extnID, critical, extnValue } of extensions) readExtension(extnID, critical, extnValue.buffer, into);
  return into;
}

/** Reads DER as `schema`, or returns undefined when it is not exactly the encoding of what was read. */
export function readDer<T>(der: ArrayBuffer, schema: new () => T): T | undefined {
  try {
    const value = AsnParser.parse(der, schema);
    const again = new Uint8Array(AsnSerializer.serialize(value));
    return again.toHex() === new Uint8Array(der).toHex() ? value : undefined;
  } catch {
    return undefined;
  }
}

function readExtension(id: string, isCritical: boolean, der: ArrayBuffer, into: Draft): void {
  const name = extensionName(id);
  const reader = READERS[id];
  if (!isPlainOid(id)) into.problems.push(`the number of its extension ${id} is too large`);
  if (id in RESTRICTING) {
    into.problems.push(`its extension ${name} restricts its use in a way that is not understood here`);
  } else if (reader === undefined && isCritical) {
    into.problems.push(`its critical extension ${name} is not understood here`);
  }
  if (reader === undefined) return;
  if (isCritical && !reader.mayBeCritical) into.problems.push(`its extension ${name} is marked critical`);
  const value = readDer(der, reader.schema);
  if (value === undefined) into.problems.push(`its extension ${name} cannot be read`);
  else reader.read?.(value, into, isCritical);
}

function extensionName(id: string): string {
  return READERS[id]?.name ?? RESTRICTING[id] ?? id;
}

function report(problem: string | undefined, into: Draft): void {
  if (problem !== undefined) into.problems.push(problem);
}

function readSubjectKeyId(value: unknown, into: Draft): void {
  into.subjectKeyId = new Uint8Array((value as SubjectKeyIdentifier).buffer).toHex();
}

function readAuthority(value: unknown, into: Draft): void {
  const { keyIdentifier, authorityCertIssuer, authorityCertSerialNumber } = value as AuthorityKeyIdentifier;
  const hex = (buffer: ArrayBuffer | undefined) => buffer && new Uint8Array(buffer).toHex();
  report(generalNamesProblem(authorityCertIssuer ?? []), into);
  const issuer = authorityCertIssuer?.find(({ directoryName }) => directoryName !== undefined)?.directoryName;
  into.authorityKeyId = {
    keyId: hex(keyIdentifier?.buffer),
    serial: hex(authorityCertSerialNumber),
    issuerDer: issuer && hex(AsnSerializer.serialize(issuer)),
  };
}

function readKeyUsage(value: unknown, into: Draft): void {
  const bits = (value as KeyUsage).toNumber();
  into.keyUsages = Object.entries(KeyUsageFlags)
    .filter((entry): entry is [string, number] => typeof entry[1] === "number" && (bits & entry[1]) !== 0)
    .map(([name]) => name);
  if (into.keyUsages.length === 0) into.problems.push("its key usage is empty");
  // The library keeps the bits that fill the last byte, Go wants them to be zero (X.690 section 11.2.1).
  const { value: bytes, unusedBits } = value as KeyUsage;
  const last = new Uint8Array(bytes).at(-1) ?? 0;
  if ((last & ((1 << unusedBits) - 1)) !== 0) into.problems.push("its key usage is not written in DER");
}

function readExtendedUsage(value: unknown, into: Draft): void {
  const oids = [...value as ExtendedKeyUsage];
  into.extendedKeyUsages = oids.map((oid) => EXTENDED_USAGES[oid] ?? oid);
  if (oids.length === 0) into.problems.push("its extended key usage is empty");
  if (!oids.every(isPlainOid)) into.problems.push("its extended key usage holds a number that is too large");
}

function readConstraints(value: unknown, into: Draft, isCritical: boolean): void {
  const { cA, pathLenConstraint } = value as BasicConstraints;
  into.isCa = cA;
  into.pathLength = pathLenConstraint;
  if (cA && !isCritical) into.problems.push("it is a CA whose basic constraints are not marked critical");
  if (pathLenConstraint === undefined) return;
  if (!cA) into.problems.push("it has a path length and is no CA");
  if (!Number.isSafeInteger(pathLenConstraint) || pathLenConstraint < 0) into.problems.push("its path length is none");
}

function readPolicies(value: unknown, into: Draft): void {
  const ids = [...value as CertificatePolicies].map(({ policyIdentifier }) => policyIdentifier);
  if (ids.length === 0) into.problems.push("its certificate policies are empty");
  if (new Set(ids).size < ids.length) into.problems.push("it has a certificate policy twice");
  if (!ids.every(isPlainOid)) into.problems.push("its certificate policies hold a number that is too large");
}

/** Of where revocation lists are only whole names are taken, as public CAs write them. */
function readPoints(value: unknown, into: Draft): void {
  for (const { distributionPoint, reasons, cRLIssuer } of value as CRLDistributionPoints) {
    if (reasons || cRLIssuer || !distributionPoint?.fullName) {
      into.problems.push("its CRL distribution points are none that are understood here");
    }
    report(generalNamesProblem(distributionPoint?.fullName ?? []), into);
  }
}

function readAccess(value: unknown, into: Draft): void {
  const entries = [...value as AuthorityInfoAccessSyntax];
  const methods = entries.map(({ accessMethod }) => accessMethod);
  report(generalNamesProblem(entries.map(({ accessLocation }) => accessLocation)), into);
  if (methods.length === 0) into.problems.push("its authority information access is empty");
  if (!methods.every(isPlainOid)) {
    into.problems.push("its authority information access holds a number that is too large");
  }
}

function readNames(value: unknown, into: Draft, isCritical: boolean): void {
  const all = [...value as SubjectAlternativeName];
  const names = all.map(foundName);
  into.names = names;
  if (names.length === 0) into.problems.push("its subject alternative name is empty");
  if (isCritical && names.every(({ type }) => type === "other")) {
    into.problems.push("its critical subject alternative name holds none that is understood here");
  }
  report(generalNamesProblem(all), into);
}
