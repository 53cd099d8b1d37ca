// SPDX-License-Identifier: Apache-2.0
/** Has openssl make the certificate files of manual TLS, so that no code of ours has a part in them. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { peerPath } from "./peers.ts";

/** Paths of PEM files; both ends have certificates of one CA. */
export interface CertificateFiles {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Makes files that are good for a day in `dir`: a CA, a server called `serverName` and a client, all with P-256 keys. */
export async function makeOpensslFiles(dir: string, serverName = "podvm-server"): Promise<CertificateFiles> {
  const ca = await issue(dir, "ca", ["-subj", "/CN=openssl CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
  const leaf = (name: string, commonName: string, usage: string) =>
    issue(dir, name, [
      ...["-CA", ca.cert, "-CAkey", ca.key, "-subj", `/CN=${commonName}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature"],
      ...["-addext", `subjectAltName=DNS:${commonName}`, "-addext", `extendedKeyUsage=${usage}`],
    ]);
  return {
    ca: ca.cert,
    server: await leaf("server", serverName, "serverAuth"),
    client: await leaf("client", "podvm_client", "clientAuth"),
  };
}

async function issue(dir: string, name: string, args: readonly string[]): Promise<{ cert: string; key: string }> {
  const cert = join(dir, `${name}.crt`), key = join(dir, `${name}.key`);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
  const { success, stderr } = await new Deno.Command(peerPath("openssl"), {
    args: ["req", "-x509", "-days", "1", ...newKey, "-keyout", key, "-out", cert, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new PeerctlError("config", `Cannot make "${cert}" with openssl: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return { cert, key };
}
