// SPDX-License-Identifier: Apache-2.0
/** Has openssl make CAs and certificate requests, so that no code of ours has a part in them. */

import { join } from "node:path";
import type { KeyType } from "../crypto/keys.ts";
import { peerPath } from "./peers.ts";

/** Paths of PEM files. */
export interface OpensslCa {
  readonly cert: string;
  readonly key: string;
}

/** For `-newkey`. */
const NEW_KEY: Readonly<Record<KeyType, readonly string[]>> = {
  "ecdsa-p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "ecdsa-p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "ed25519": ["ed25519"],
  "rsa-2048": ["rsa:2048"],
  "rsa-3072": ["rsa:3072"],
  "rsa-4096": ["rsa:4096"],
};

const CA_EXTENSIONS = [
  "basicConstraints=critical,CA:TRUE",
  "keyUsage=critical,keyCertSign,cRLSign",
  "subjectKeyIdentifier=hash",
];

/** Makes `name`.crt and `name`.key in `dir`: a CA, self-signed or below `issuer`; `extensions` replace the usual ones. */
export async function makeOpensslCa(
  dir: string,
  name: string,
  o: { keyType?: KeyType; issuer?: OpensslCa; days?: number; extensions?: readonly string[] } = {},
): Promise<OpensslCa> {
  const { keyType = "ecdsa-p256", issuer, days = 3, extensions = CA_EXTENSIONS } = o;
  const ca = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  const above = issuer === undefined ? [] : ["-CA", issuer.cert, "-CAkey", issuer.key];
  const more = issuer === undefined ? [] : ["authorityKeyIdentifier=keyid"];
  await opensslReq(dir, name, [...extensions, ...more], [
    ...["-x509", "-days", String(days), "-subj", `/O=openssl/CN=${name}`, ...above],
    ...["-newkey", ...NEW_KEY[keyType], "-noenc", "-keyout", ca.key, "-out", ca.cert],
  ]);
  return ca;
}

/** Makes `name`.csr in `dir`, and `name`.key unless `newKey` says otherwise; returns the path of the request. */
export async function makeOpensslRequest(
  dir: string,
  name: string,
  o: { newKey?: readonly string[]; subject?: string; extensions?: readonly string[] } = {},
): Promise<string> {
  const path = join(dir, `${name}.csr`);
  const { newKey = NEW_KEY["ecdsa-p256"], subject = `/CN=${name}`, extensions = [] } = o;
  await opensslReq(dir, name, extensions, [
    ...["-subj", subject, "-newkey", ...newKey, "-noenc"],
    ...["-keyout", join(dir, `${name}.key`), "-out", path],
  ]);
  return path;
}

/** With a configuration of its own: that of the machine adds extensions. */
async function opensslReq(dir: string, name: string, extensions: readonly string[], args: readonly string[]) {
  const config = join(dir, `${name}.cnf`);
  const section = extensions.length === 0 ? "" : "x509_extensions = wanted\nreq_extensions = wanted\n";
  await Deno.writeTextFile(
    config,
    `[req]\ndistinguished_name = none\n${section}[none]\n[wanted]\n${extensions.join("\n")}\n`,
  );
  const { success, stderr } = await new Deno.Command(peerPath("openssl"), {
    args: ["req", "-new", "-config", config, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`openssl req: ${new TextDecoder().decode(stderr).trim()}`);
}
