// SPDX-License-Identifier: Apache-2.0
/** Writes Kubernetes manifests: Secrets that hold certificates, or requests to cert-manager to make them there. */

import { stringify } from "yaml";
import { type CertificateFile, CLIENT_NAME, type Side, SIDES } from "./certificate_set.ts";
import type { KeyType } from "./keys.ts";
import { type AttributeType, commonNameOf, type DistinguishedName } from "./subject.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";

/** How long the CA of cert-manager lasts, in hours: ten years, for its renewal would be a flag day. */
const CA_HOURS = 87_600;

export interface ManifestNames {
  readonly namespace: string;
  /** Of caa's Secret; the others have it in front. */
  readonly secretName: string;
}

/**
 * Writes a Secret for each side whose files are there: for caa with ca.crt, client.crt and client.key, as upstream's chart
 * mounts it; for pod VM images of type kubernetes.io/tls with ca.crt beside. The CA's key is in none.
 */
export function secretManifests(files: readonly CertificateFile[], o: ManifestNames): string {
  const content = (name: string) => files.find((file) => file.name === name)?.content;
  const secret = (side: Side, type: string, what: string) => {
    const names = ["ca.crt", `${SIDES[side].file}.crt`, `${SIDES[side].file}.key`];
    const data = names.map((name) => [name, new TextEncoder().encode(content(name)).toBase64()]);
    return manifest(what, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: secretNameOf(side, o), namespace: o.namespace },
      type,
      data: Object.fromEntries(data),
    });
  };
  return [
    ...(content("client.key") === undefined ? [] : [
      secret("client", "Opaque", "For caa on worker nodes: mounted at /etc/certificates."),
    ]),
    ...(content("tls.key") === undefined ? [] : [
      secret("server", "kubernetes.io/tls", "For building pod VM images: no pod needs it."),
    ]),
  ].join("---\n");
}

export interface CertManagerOptions extends ManifestNames {
  readonly names: readonly AlternativeName[];
  readonly subject: DistinguishedName;
  readonly keyType: KeyType;
  readonly days: number;
  readonly sides: readonly Side[];
  /** Undefined: a CA of its own is asked for, too. */
  readonly issuer: { readonly kind: string; readonly name: string } | undefined;
}

/** Writes a Certificate of cert-manager for each side, and without an issuer what makes one. */
export function certManagerManifests(o: CertManagerOptions): string {
  const caName = `${o.secretName}-ca`;
  const issuer = o.issuer ?? { kind: "Issuer", name: caName };
  const leaves = o.sides.map((side, i) => {
    const names: readonly AlternativeName[] = i === 0 && o.names.length > 0
      ? o.names
      : [{ type: "dns", value: CLIENT_NAME }];
    const commonName = (i === 0 ? commonNameOf(o.subject) : undefined) ??
      names.find(({ type }) => type === "dns")?.value;
    return manifest(
      `${SIDES[side].purpose}.`,
      certificate(secretNameOf(side, o), o, {
        duration: `${o.days * 24}h`,
        ...(commonName !== undefined && commonName.length <= 64 && { commonName }),
        ...namesBySort(names),
        usages: [
          "digital signature",
          ...(o.keyType.startsWith("rsa") ? ["key encipherment"] : []),
          side === "server" ? "server auth" : "client auth",
        ],
        privateKey: privateKey(o.keyType, "Always"),
        issuerRef: { group: "cert-manager.io", ...issuer },
      }),
    );
  });
  if (o.issuer !== undefined) return leaves.join("---\n");
  const selfSigned = `${o.secretName}-self-signed`;
  const ca = certificate(caName, o, {
    isCA: true,
    duration: `${CA_HOURS}h`,
    commonName: caName,
    usages: ["cert sign", "crl sign"],
    privateKey: privateKey(o.keyType, "Never"),
    issuerRef: { group: "cert-manager.io", kind: "Issuer", name: selfSigned },
  });
  return [
    manifest("Signs the CA below, once.", issuerOf(selfSigned, o, { selfSigned: {} })),
    manifest("The CA that both sides trust.", ca),
    manifest("Issues what follows.", issuerOf(caName, o, { ca: { secretName: caName } })),
    ...leaves,
  ].join("---\n");
}

function secretNameOf(side: Side, { secretName }: ManifestNames): string {
  return side === "client" ? secretName : `${secretName}-server`;
}

function manifest(comment: string, value: unknown): string {
  return `# ${comment}\n${stringify(value, { lineWidth: 0 })}`;
}

function issuerOf(name: string, { namespace }: ManifestNames, spec: unknown): unknown {
  return { apiVersion: "cert-manager.io/v1", kind: "Issuer", metadata: { name, namespace }, spec };
}

function certificate(name: string, o: CertManagerOptions, spec: Record<string, unknown>): unknown {
  const subject = subjectOf(o.subject);
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata: { name, namespace: o.namespace },
    spec: { secretName: name, ...spec, ...(Object.keys(subject).length > 0 && { subject }) },
  };
}

/** What cert-manager calls the attributes; the common name stands elsewhere. */
const ATTRIBUTES: Readonly<Partial<Record<AttributeType, string>>> = {
  C: "countries",
  ST: "provinces",
  L: "localities",
  O: "organizations",
  OU: "organizationalUnits",
};

function subjectOf(subject: DistinguishedName): Record<string, string[]> {
  const lists: Record<string, string[]> = {};
  for (const { type, value } of subject) {
    const list = ATTRIBUTES[type];
    if (list !== undefined) (lists[list] ??= []).push(value);
  }
  return lists;
}

function namesBySort(names: readonly AlternativeName[]): Record<string, string[]> {
  const sorts = { dns: "dnsNames", ip: "ipAddresses", uri: "uris" } as const;
  const lists: Record<string, string[]> = {};
  for (const { type, value } of names) (lists[sorts[type]] ??= []).push(value);
  return lists;
}

function privateKey(type: KeyType, rotationPolicy: "Always" | "Never"): Record<string, unknown> {
  const [algorithm = "", size = ""] = type.split("-");
  const sized = type === "ed25519"
    ? { algorithm: "Ed25519" }
    : { algorithm: algorithm.toUpperCase(), size: Number(size.replace("p", "")) };
  return { ...sized, encoding: "PKCS8", rotationPolicy };
}
