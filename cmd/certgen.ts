// SPDX-License-Identifier: Apache-2.0
/** `peerctl certgen`: makes the certificates of manual mutual TLS between caa and apf. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { boolFlag, choiceFlag, intFlag, listFlag, stringFlag } from "../lib/cli/flags.ts";
import type { Output } from "../lib/cli/output.ts";
import type { CertificateFile } from "../lib/crypto/certificate_set.ts";
import { KEY_TYPES } from "../lib/crypto/keys.ts";
import { parseSubject } from "../lib/crypto/subject.ts";
import { parseAlternativeNames } from "../lib/crypto/subject_alternative_name.ts";
import { PeerctlError } from "../lib/errors.ts";
import { checkFileSet, writeFileSet } from "../lib/os/file_set.ts";
import checkPairCommand from "./certgen_check_pair.ts";
import verifyCommand from "./certgen_verify.ts";

/** Longest validity, in days: ten years. */
const MAX_DAYS = 3650;

const NAMES = ["ca.crt", "ca.key", "tls.crt", "tls.key", "client.crt", "client.key"];

export default defineCommand({
  name: "certgen",
  summary: "make the CA, server and client certificates for caa and apf",
  description:
    "Writes ca.crt, ca.key, tls.crt, tls.key, client.crt and client.key. The server certificate (tls) is for apf " +
    "in the pod VM and carries the names of --san; caa expects podvm-server. The client certificate is for caa. All six " +
    "files appear or none does, and existing ones stay unless --force is given. Keep ca.key away from both: it is needed " +
    "only to issue more.",
  flags: {
    san: listFlag("san", {
      required: true,
      placeholder: "NAME",
      help: "name of the server: DNS name, IPv4 or IPv6 address, or spiffe:// ID",
    }),
    outDir: stringFlag("out-dir", { default: ".", placeholder: "DIR", help: "where to write the files" }),
    days: intFlag("days", { default: 30, min: 1, max: MAX_DAYS, help: "how long the certificates are valid, in days" }),
    subject: stringFlag("subject", {
      placeholder: "DN",
      help:
        'subject of the server as "/O=Example/CN=prod" or "CN=prod,O=Example"; the others take it over but for the CN',
    }),
    keyType: choiceFlag("key-type", { choices: KEY_TYPES, default: "ecdsa-p256", help: "kind of all three keys" }),
    force: boolFlag("force", { help: "replace files that exist" }),
  },
  subcommands: [verifyCommand, checkPairCommand],
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
  ],
  async run({ values, output }) {
    const { outDir, force, keyType, days } = values;
    const [names, subject] = collect(
      () => parseAlternativeNames(values.san),
      () => values.subject === "" ? [] : parseSubject(values.subject),
    );
    if (names.length === 0) {
      throw new PeerctlError("usage", "Cannot make a server certificate without a name: --san is missing", {
        hint: "use --san podvm-server, the name that caa expects",
      });
    }
    if (outDir === "") {
      throw new PeerctlError("usage", "Cannot write to a directory without a name: --out-dir is empty");
    }
    if (!force) await checkFileSet(outDir, NAMES);
    const { createCertificateSet } = await import("../lib/crypto/certificate_set.ts");
    const files = await createCertificateSet({ names, subject, keyType, days, now: new Date() });
    const written = files.map(({ name, content, isPrivateKey }) => ({
      name,
      content,
      mode: isPrivateKey ? 0o600 : 0o644,
    }));
    await writeFileSet(outDir, written, { replace: force });
    report(output, outDir, files);
    return ExitCode.done;
  },
});

/** Runs both, so that all problems of one command line are reported together. */
function collect<A, B>(first: () => A, second: () => B): [A, B] {
  const problems: unknown[] = [];
  const attempt = <T>(one: () => T): T | undefined => {
    try {
      return one();
    } catch (error) {
      problems.push(error);
      return undefined;
    }
  };
  const results = [attempt(first), attempt(second)];
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) throw new AggregateError(problems);
  return results as [A, B];
}

function report(output: Output, dir: string, files: readonly CertificateFile[]): void {
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
  output.note(`wrote ${files.length} files to ${dir}`);
  output.note("on the worker node: caa … -ca-cert-file ca.crt -cert-file client.crt -cert-key client.key");
  output.note("in the pod VM: apf -ca-cert-file ca.crt -cert-file tls.crt -cert-key tls.key");
}
