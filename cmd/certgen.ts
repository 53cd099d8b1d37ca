// SPDX-License-Identifier: Apache-2.0
/** `peerctl certgen`: makes, signs and renews the certificates of manual mutual TLS between caa and apf. */

import { join } from "node:path";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import type { Output } from "../lib/cli/output.ts";
import type { CertificateFile } from "../lib/crypto/certificate_set.ts";
import { writeFileSet } from "../lib/os/file_set.ts";
import certgenCheckPair from "./certgen_check_pair.ts";
import {
  certgenFlags,
  type CertgenValues,
  checkTogether,
  DEFAULT_DAYS,
  DEFAULT_KEY_TYPE,
  MANIFEST_OUTPUTS,
  parseIssuer,
} from "./certgen_flags.ts";
import { exists, isThere, makeSet, readIdentity, renew, sidesOf, signRequest } from "./certgen_make.ts";
import { reportFiles, reportRequests, reportSecrets } from "./certgen_report.ts";
import certgenInspect from "./certgen_inspect.ts";
import certgenVerify from "./certgen_verify.ts";

export default defineCommand({
  name: "certgen",
  summary: "make the CA, server and client certificates for caa and apf",
  description:
    `Writes ca.crt, ca.key, tls.crt, tls.key, client.crt and client.key. The server certificate (tls) is for apf in the pod
VM and carries the names of --san; caa expects podvm-server. The client certificate is for caa. All files appear or none
does, and existing ones stay unless --force is given. Keep ca.key away from both: it is needed only to issue more.

With --ca-cert and --ca-key an existing CA signs, and no ca.key is written. If that CA is not a root, tls.crt and
client.crt hold the CAs in between behind the certificate, which is what caa, apf, Go and openssl want, and ca.crt holds
the root, if it is in the file of --ca-cert. Without a root ca.crt holds the topmost CA there is: caa, apf and Go take
that, openssl only with -partial_chain. Certificates never outlive a CA above them.

With --renew all keys are new and the CA stays, so that worker nodes and pod VMs can get their new files one after the
other. A CA of the directory that ends too soon is made anew with the same key and name, to the same effect; keep it
elsewhere and give it with --ca-cert and --ca-key, and it is left as it is. caa and apf notice new files by themselves.

With --output k8s-secret Secret manifests go to stdout, and files are written only with --out-dir or --renew. With
--output cert-manager no key is made: the manifests ask cert-manager for the same certificates. Nothing is applied.`,
  flags: certgenFlags,
  subcommands: [certgenInspect, certgenVerify, certgenCheckPair],
  outputs: { words: MANIFEST_OUTPUTS, help: "k8s-secret and cert-manager print manifests" },
  goStyle: false,
  examples: [
    { text: "Certificates for one node", command: "certgen --san podvm-server --out-dir certs" },
    {
      text: "Valid for a year, RSA, with the organisation's name",
      command: "certgen --san podvm-server --days 365 --key-type rsa-2048 --subject /O=Example --out-dir certs",
    },
    {
      text: "More names, and a list of files for a script",
      command:
        "certgen --san podvm-server --san 10.0.0.7 --san spiffe://example.org/podvm --out-dir certs --output json",
    },
    {
      text: "Another client certificate by the same CA",
      command: "certgen --client-only --ca-cert certs/ca.crt --ca-key certs/ca.key --out-dir node2",
    },
    { text: "Renew what is there, for as long as before", command: "certgen --renew certs" },
    {
      text: "Sign a request whose key stays where it is",
      command:
        "certgen --csr node.csr --client-only --copy-sans --ca-cert certs/ca.crt --ca-key certs/ca.key --out-dir signed",
    },
    {
      text: "Into Kubernetes, with the files and the CA's key kept here",
      command: "certgen --san podvm-server --output k8s-secret --out-dir certs | kubectl apply -f -",
    },
    {
      text: "Have cert-manager make and renew them",
      command: "certgen --san podvm-server --output cert-manager --issuer ClusterIssuer/corp",
    },
  ],
  async run({ values, output, outputWord }) {
    checkTogether(values, outputWord);
    if (outputWord === "cert-manager") {
      await printRequests(values, output);
      return ExitCode.done;
    }
    const isSecret = outputWord === "k8s-secret";
    const dir = values.renew !== "" ? values.renew : values.outDir ?? (isSecret ? undefined : ".");
    const made = values.renew !== ""
      ? await renew(values)
      : values.csr !== ""
      ? await signRequest(values, dir ?? ".")
      : await makeSet(values, dir);
    const files = dir === undefined ? [] : await write(dir, made.files, values.force || values.renew !== "");
    const notes = [...made.notes, ...strangerNotes(dir, files)];
    if (isSecret) {
      const { secretManifests } = await import("../lib/crypto/certificate_manifests.ts");
      output.result(secretManifests(made.files, values).trimEnd());
      reportSecrets(output, { files: made.files, notes, dir });
    } else reportFiles(output, { dir: dir!, files, notes });
    return ExitCode.done;
  },
});

/** Writes all files but a ca.crt that is there already with the same content; returns those that it wrote. */
async function write(dir: string, made: readonly CertificateFile[], replace: boolean): Promise<CertificateFile[]> {
  const files = made.filter(({ name, content }) => name !== "ca.crt" || !isThere(dir, name, content));
  const set = files.map(({ name, content, isPrivateKey }) => ({ name, content, mode: isPrivateKey ? 0o600 : 0o644 }));
  await writeFileSet(dir, set, { replace });
  return files;
}

/** A ca.key that lies beside a ca.crt which has just come from elsewhere may be that of another CA. */
function strangerNotes(dir: string | undefined, files: readonly CertificateFile[]): string[] {
  const has = (name: string) => files.some((file) => file.name === name);
  if (dir === undefined || !has("ca.crt") || has("ca.key") || !exists(join(dir, "ca.key"))) return [];
  return [`warning: the ca.key in ${dir} was there before: move it away if it is not that of the new ca.crt`];
}

async function printRequests(values: CertgenValues, output: Output): Promise<void> {
  const { certManagerManifests } = await import("../lib/crypto/certificate_manifests.ts");
  const manifests = certManagerManifests({
    ...readIdentity(values),
    keyType: values.keyType ?? DEFAULT_KEY_TYPE,
    days: values.days ?? DEFAULT_DAYS,
    sides: sidesOf(values),
    namespace: values.namespace,
    secretName: values.secretName,
    issuer: parseIssuer(values.issuer),
  });
  output.result(manifests.trimEnd());
  reportRequests(output, values.secretName);
}
