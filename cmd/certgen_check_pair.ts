// SPDX-License-Identifier: Apache-2.0
/** `peerctl certgen check-pair`: says beforehand whether caa or apf could use its three files, in their own words. */

import { join } from "node:path";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { boolFlag, choiceFlag, listFlag, stringFlag } from "../lib/cli/flags.ts";
import { parseAlternativeNames } from "../lib/crypto/subject_alternative_name.ts";
import { checkTlsPair } from "../lib/crypto/tls_pair_check.ts";
import { PeerctlError } from "../lib/errors.ts";
import type { TlsFiles } from "../lib/net/tls_files.ts";

/** What each program shows, and what certgen calls its files. */
const ENDS = {
  apf: { role: "server", name: "tls" },
  caa: { role: "client", name: "client" },
} as const;

export default defineCommand({
  name: "certgen check-pair",
  summary: "say whether caa or apf can use a CA, certificate and key file",
  description:
    "Reads the three files as apf (or caa) does at start and says what it would say; then looks whether the other end " +
    "would take the certificate. DIR stands for the files that certgen writes: ca.crt with tls.crt and tls.key for apf, " +
    "with client.crt and client.key for caa. Ends with 1 when they cannot be used.",
  flags: {
    for: choiceFlag("for", { choices: ["apf", "caa"], default: "apf", help: "the program that loads the files" }),
    caCertFile: stringFlag("ca-cert-file", {
      placeholder: "FILE",
      help: "CA that signed the other end's certificates",
    }),
    certFile: stringFlag("cert-file", { placeholder: "FILE", help: "certificate to show" }),
    certKey: stringFlag("cert-key", { placeholder: "FILE", help: "file with the key of --cert-file" }),
    name: listFlag("name", {
      placeholder: "NAME",
      help: "DNS name, IP address or SPIFFE ID that the certificate must be for",
    }),
    failOnWarning: boolFlag("fail-on-warning", { help: "end with 1 also when there are only warnings" }),
  },
  positional: { name: "DIR", help: "folder that certgen wrote, instead of the three flags", min: 0, max: 1 },
  goStyle: false,
  examples: [
    { text: "What certgen wrote, for the pod VM", command: "certgen check-pair --name podvm-server certs" },
    { text: "What certgen wrote, for the worker node", command: "certgen check-pair --for caa certs" },
    {
      text: "Files by name",
      command: "certgen check-pair --ca-cert-file ca.crt --cert-file tls.crt --cert-key tls.key",
    },
  ],
  async run({ values, args, output }) {
    const { role, name } = ENDS[values.for];
    const given: TlsFiles = { caFile: values.caCertFile, certFile: values.certFile, keyFile: values.certKey };
    const isGiven = Object.values(given).some((path) => path !== "");
    const dir = args[0];
    if ((dir !== undefined) === isGiven) {
      throw new PeerctlError(
        "usage",
        `Cannot check ${isGiven ? "a folder and single files at once" : "files: none are given"}`,
        {
          hint: "give a folder, or --ca-cert-file, --cert-file and --cert-key",
        },
      );
    }
    const files = dir === undefined ? given : {
      caFile: join(dir, "ca.crt"),
      certFile: join(dir, `${name}.crt`),
      keyFile: join(dir, `${name}.key`),
    };
    const { leaf, warnings } = await checkTlsPair(files, { role, names: parseAlternativeNames(values.name) });
    if (output.format === "json") {
      const { subject, notAfter, sha256 } = leaf;
      output.json({ for: values.for, files, certificate: { subject, notAfter, sha256 }, warnings });
    } else {
      output.table([
        [`${values.for} can use ${files.certFile} (${leaf.subject}), until ${leaf.notAfter.toISOString()}`],
        ...warnings.map((warning) => [`  warning: ${warning}`]),
      ]);
    }
    return values.failOnWarning && warnings.length > 0 ? ExitCode.failed : ExitCode.done;
  },
});
