// SPDX-License-Identifier: Apache-2.0
/** The flags of `peerctl certgen`, and which of them go together. */

import { boolFlag, choiceFlag, intFlag, listFlag, optionalFlag, stringFlag, type ValuesOf } from "../lib/cli/flags.ts";
import { KEY_TYPES } from "../lib/crypto/keys.ts";
import { PeerctlError, throwProblems } from "../lib/errors.ts";

/** Longest validity, in days: ten years. */
const MAX_DAYS = 3650;

export const DEFAULT_DAYS = 30;
export const DEFAULT_KEY_TYPE = "ecdsa-p256";

/** Words of --output that print manifests. */
export const MANIFEST_OUTPUTS = ["k8s-secret", "cert-manager"];

export const certgenFlags = {
  san: listFlag("san", {
    placeholder: "NAME",
    help: "name of the server (with --client-only of the client): DNS name, IPv4 or IPv6 address, or spiffe:// ID",
  }),
  outDir: optionalFlag(
    stringFlag("out-dir", { default: ".", placeholder: "DIR", help: "where to write the files" }),
  ),
  days: optionalFlag(intFlag("days", {
    default: DEFAULT_DAYS,
    min: 1,
    max: MAX_DAYS,
    help: "how long the certificates are valid, in days; with --renew, if not given, as long as before",
  })),
  subject: stringFlag("subject", {
    placeholder: "DN",
    help:
      'subject of the server as "/O=Example/CN=prod" or "CN=prod,O=Example"; the others take it over but for the CN',
  }),
  keyType: optionalFlag(
    choiceFlag("key-type", { choices: KEY_TYPES, default: DEFAULT_KEY_TYPE, help: "kind of keys" }),
  ),
  serverOnly: boolFlag("server-only", { help: "make no client certificate" }),
  clientOnly: boolFlag("client-only", { help: "make no server certificate; --san is not needed then" }),
  caCert: stringFlag("ca-cert", {
    placeholder: "FILE",
    help: "certificate of an existing CA that signs, with those above it behind it (PEM)",
  }),
  caKey: stringFlag("ca-key", { placeholder: "FILE", help: "private key of that CA (PEM, not encrypted)" }),
  csr: stringFlag("csr", {
    placeholder: "FILE",
    help: "sign this request (PEM) instead of making a key; needs --ca-cert, and --server-only or --client-only",
  }),
  copySans: boolFlag("copy-sans", { help: "give the certificate the names that the request of --csr asks for" }),
  renew: stringFlag("renew", {
    placeholder: "DIR",
    help: "renew what is in this directory: same names, subjects and kinds of key, new keys, the same CA",
  }),
  namespace: stringFlag("namespace", {
    default: "confidential-containers-system",
    placeholder: "NAMESPACE",
    help: "namespace in manifests",
  }),
  secretName: stringFlag("secret-name", {
    default: "certs-for-tls",
    placeholder: "NAME",
    help: 'name of caa\'s Secret in manifests; that of the server has "-server" behind it',
  }),
  issuer: stringFlag("issuer", {
    placeholder: "[KIND/]NAME",
    help: "name of an Issuer or ClusterIssuer for --output cert-manager; without it a CA of its own is asked for",
  }),
  force: boolFlag("force", { help: "replace files that exist" }),
};

export type CertgenValues = ValuesOf<typeof certgenFlags>;

/**
 * Refuses flags that contradict each other or have no effect, all at once.
 *
 * @throws {PeerctlError} kind "usage", or AggregateError with several.
 */
export function checkTogether(values: CertgenValues, outputWord: string): void {
  const { caCert, caKey, csr, renew, outDir, days, keyType, subject, san } = values;
  const isCertManager = outputWord === "cert-manager";
  const isManifest = MANIFEST_OUTPUTS.includes(outputWord);
  const given = {
    "--san": san.length > 0,
    "--subject": subject !== "",
    "--key-type": keyType !== undefined,
    "--out-dir": outDir !== undefined,
    "--ca-cert": caCert !== "",
    "--ca-key": caKey !== "",
    "--csr": csr !== "",
    "--renew": renew !== "",
    "--force": values.force,
    "--days": days !== undefined,
  };
  const problems: PeerctlError[] = [];
  const refuse = (message: string, hint?: string) =>
    problems.push(new PeerctlError("usage", message, hint === undefined ? {} : { hint }));
  const exclude = (flag: string, others: readonly (keyof typeof given)[], hint: string) => {
    for (const other of others.filter((name) => given[name])) refuse(`Cannot use ${other} with ${flag}`, hint);
  };
  if (values.serverOnly && values.clientOnly) refuse("Cannot use --server-only with --client-only");
  if (given["--ca-cert"] !== given["--ca-key"]) {
    const [have, lack] = caCert !== "" ? ["--ca-cert", "--ca-key"] : ["--ca-key", "--ca-cert"];
    refuse(`Cannot use ${have} without ${lack}`, "a CA signs with its key and is named by its certificate");
  }
  if (outDir === "") refuse("Cannot write to a directory without a name: --out-dir is empty");
  if (csr !== "") {
    exclude("--csr", ["--key-type", "--renew"], "the key is the sender's own");
    if (caCert === "" && caKey === "") refuse("Cannot sign a request without a CA: --ca-cert and --ca-key are missing");
    if (values.serverOnly === values.clientOnly) {
      refuse("Cannot sign a request without --server-only or --client-only: it says for which use");
    }
    if (isManifest) refuse(`Cannot use --output ${outputWord} with --csr: there is no key to put into a Secret`);
  } else if (values.copySans) refuse("Cannot use --copy-sans without --csr");
  if (renew !== "") {
    exclude("--renew", ["--san", "--subject", "--key-type"], "renewing keeps them; make a new set to change them");
    exclude("--renew", ["--out-dir"], "the files are renewed where they are");
  }
  if (isCertManager) {
    exclude(
      "--output cert-manager",
      ["--out-dir", "--ca-cert", "--ca-key", "--csr", "--renew", "--force"],
      "cert-manager makes keys and certificates itself",
    );
  } else if (values.issuer !== "") refuse("Cannot use --issuer without --output cert-manager");
  const needsNames = renew === "" && (csr !== "" ? !values.copySans : !values.clientOnly);
  if (needsNames && san.length === 0) {
    refuse(
      csr !== ""
        ? "Cannot sign a request without names: give --san, or --copy-sans to take those of the request"
        : "Cannot make a server certificate without a name: --san is missing",
      csr === "" ? "use --san podvm-server, the name that caa expects" : undefined,
    );
  }
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(values.namespace)) {
    refuse("Cannot use --namespace: it is no name of a namespace (RFC 1123 label)");
  }
  if (!/^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/.test(values.secretName)) {
    refuse("Cannot use --secret-name: it must have at most 53 of a-z, 0-9 and - (RFC 1123 label)");
  }
  throwProblems(problems);
}

/** Reads `NAME` (an Issuer), `Issuer/NAME` or `ClusterIssuer/NAME`; "" is none. */
export function parseIssuer(text: string): { kind: string; name: string } | undefined {
  if (text === "") return undefined;
  const found = /^(?:(Issuer|ClusterIssuer)\/)?([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)$/.exec(text);
  if (found === null) {
    throw new PeerctlError("usage", `Cannot use --issuer ${JSON.stringify(text.slice(0, 300))}: it is no issuer`, {
      hint: "write NAME, Issuer/NAME or ClusterIssuer/NAME",
    });
  }
  return { kind: found[1] ?? "Issuer", name: found[2]! };
}
