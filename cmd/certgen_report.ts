// SPDX-License-Identifier: Apache-2.0
/** Prints what `peerctl certgen` has made. */

import type { Output } from "../lib/cli/output.ts";
import type { CertificateFile } from "../lib/crypto/certificate_set.ts";

/** Prints the files as a table or as JSON, and on stderr what to do with them. */
export function reportFiles(
  output: Output,
  { dir, files, notes }: { dir: string; files: readonly CertificateFile[]; notes: readonly string[] },
): void {
  if (output.format === "json") {
    output.json({
      dir,
      files: files.map(({ name, purpose, isPrivateKey, certificate }) => ({
        name,
        purpose,
        mode: isPrivateKey ? "0600" : "0644",
        ...(certificate && {
          subject: certificate.subject,
          notAfter: certificate.notAfter.toISOString(),
          sha256: certificate.sha256,
        }),
      })),
      notes,
    });
    return;
  }
  output.table([
    ["FILE", "PURPOSE", "EXPIRES", "SHA-256"],
    ...files.map(({ name, purpose, certificate }) => [
      name,
      purpose,
      certificate?.notAfter.toISOString().slice(0, "2026-01-01".length) ?? "",
      certificate?.sha256 ?? "",
    ]),
  ]);
  for (const note of notes) output.note(note);
  output.note(`wrote ${files.length} file${files.length === 1 ? "" : "s"} to ${dir}`);
  const has = (name: string) => files.some((file) => file.name === name);
  if (has("client.key")) {
    output.note("on the worker node: caa … -ca-cert-file ca.crt -cert-file client.crt -cert-key client.key");
  }
  if (has("tls.key")) output.note("in the pod VM: apf -ca-cert-file ca.crt -cert-file tls.crt -cert-key tls.key");
}

/** Says on stderr what to know of Secret manifests. */
export function reportSecrets(
  output: Output,
  { dir, files, notes }: { dir: string | undefined; files: readonly CertificateFile[]; notes: readonly string[] },
): void {
  for (const note of notes) output.note(note);
  output.note("the manifests hold private keys: pipe them to kubectl apply -f -, and keep them out of files and git");
  if (dir !== undefined) output.note(`wrote ${files.length} files to ${dir}`);
  else if (files.some(({ name }) => name === "ca.key")) {
    output.note(
      "the key of the CA is not kept, so these certificates cannot be renewed: give --out-dir to keep it",
    );
  }
}

/** Says on stderr what the manifests for cert-manager leave to do. */
export function reportRequests(output: Output, secretName: string): void {
  output.note(
    `cert-manager puts ca.crt, tls.crt and tls.key into the Secret ${secretName}: ` +
      "run caa with -cert-file tls.crt -cert-key tls.key of it",
  );
}
