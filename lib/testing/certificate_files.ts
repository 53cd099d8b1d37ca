// SPDX-License-Identifier: Apache-2.0
/** Lays certgen's files into a directory for peer programs, beside a set of another CA. */

import { join } from "node:path";
import { createCertificateSet } from "../crypto/certificate_set.ts";
import type { KeyType } from "../crypto/keys.ts";
import { parseAlternativeNames } from "../crypto/subject_alternative_name.ts";

interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface CertificateFiles {
  path(name: `${"ca" | "tls" | "client"}.${"crt" | "key"}`): string;
  readonly server: Credentials;
  readonly client: Credentials;
}

/** Makes a set of certificates for `names` in `dir`. */
export async function layCertificates(
  dir: string,
  keyType: KeyType,
  names: readonly string[] = ["podvm-server"],
): Promise<CertificateFiles> {
  await Deno.mkdir(dir, { recursive: true });
  const files = await createCertificateSet({
    names: parseAlternativeNames(names),
    subject: [],
    keyType,
    days: 1,
    now: new Date(),
  });
  for (const { name, content } of files) await Deno.writeTextFile(join(dir, name), content);
  const text = (name: string) => files.find((file) => file.name === name)!.content;
  return {
    path: (name) => join(dir, name),
    server: { ca: text("ca.crt"), cert: text("tls.crt"), key: text("tls.key") },
    client: { ca: text("ca.crt"), cert: text("client.crt"), key: text("client.key") },
  };
}
