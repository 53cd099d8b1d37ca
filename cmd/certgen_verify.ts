// SPDX-License-Identifier: Apache-2.0
/** `peerctl certgen verify`: says whether a certificate is valid for a use, or every reason why it is not. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { boolFlag, choiceFlag, listFlag } from "../lib/cli/flags.ts";
import type { Output } from "../lib/cli/output.ts";
import { type AlternativeName, parseAlternativeNames } from "../lib/crypto/subject_alternative_name.ts";
import type { Verdict } from "../lib/crypto/verify_chain.ts";
import { PeerctlError } from "../lib/errors.ts";
import { readSmallBytes } from "../lib/net/tls_files.ts";

export default defineCommand({
  name: "certgen verify",
  summary: "say whether a certificate is valid, or every reason why not",
  description:
    "Verifies the first certificate of FILE: its chain to --ca, dates, names, usage, constraints and signatures. Further " +
    "certificates in FILE may stand in between. It is stricter than OpenSSL and Go: what they could refuse, and whatever " +
    "is not understood, is not valid. Ends with 1 when it is not valid.",
  flags: {
    ca: listFlag("ca", {
      required: true,
      placeholder: "FILE",
      help: "trusted certificates (PEM); the chain must end in one that is self-signed",
    }),
    partialChain: boolFlag("partial-chain", {
      help: "let the chain end in any certificate of --ca, as peerctl and Go do, and openssl with -partial_chain",
    }),
    intermediates: listFlag("intermediates", {
      placeholder: "FILE",
      help: "certificates that may stand in between (PEM)",
    }),
    name: listFlag("name", {
      placeholder: "NAME",
      help: "DNS name, IP address or SPIFFE ID that the certificate must be for",
    }),
    usage: choiceFlag("usage", {
      choices: ["server", "client"],
      default: "server",
      help: "the side of TLS on which it is shown",
    }),
  },
  positional: { name: "FILE", help: "the certificate (PEM), then those between it and the CA", min: 1, max: 1 },
  goStyle: false,
  examples: [
    {
      text: "The server certificate, as caa will look at it",
      command: "certgen verify --ca ca.crt --name podvm-server tls.crt",
    },
    {
      text: "The client certificate, for a script",
      command: "certgen verify --ca ca.crt --usage client client.crt --output json",
    },
  ],
  async run({ values, args, output }) {
    const names = values.name.length === 0 ? [] : parseAlternativeNames(values.name);
    const star = names.find(({ value }) => value.startsWith("*"));
    if (star !== undefined) {
      throw new PeerctlError("usage", `Cannot verify for "${star.value}": a peer has a name without "*"`);
    }
    const { readCertificates } = await import("../lib/crypto/certificates_read.ts");
    const { verifyCertificate } = await import("../lib/crypto/verify_chain.ts");
    const file = args[0]!;
    const read = (path: string, what: string) => readCertificates(readSmallBytes(path, what), `${what} file "${path}"`);
    const [leaf, ...rest] = read(file, "certificate");
    const verdict = verifyCertificate({
      leaf,
      intermediates: [...rest, ...values.intermediates.flatMap((path) => read(path, "intermediate"))],
      anchors: values.ca.flatMap((path) => read(path, "CA")),
      partialChain: values.partialChain,
      usage: values.usage,
      names,
      now: new Date(),
    });
    report(output, file, verdict, { usage: values.usage, names });
    return verdict.valid ? ExitCode.done : ExitCode.failed;
  },
});

function report(
  output: Output,
  file: string,
  { valid, chain, reasons }: Verdict,
  asked: { readonly usage: string; readonly names: readonly AlternativeName[] },
): void {
  const names = asked.names.map(({ value }) => value);
  if (output.format === "json") {
    output.json({
      file,
      valid,
      usage: asked.usage,
      names,
      chain: chain.map(({ subject, serial, notAfter, sha256 }) => ({ subject, serial, notAfter, sha256 })),
      reasons,
    });
    return;
  }
  const use = `${asked.usage}${names.length === 0 ? "" : ` ${names.join(", ")}`}`;
  output.table([
    [`${file}: ${valid ? "valid" : "not valid"} for ${use}`],
    ...(valid
      ? chain.map((
        { subject, notAfter },
        i,
      ) => [`  ${i === 0 ? "certificate" : "issued by"} ${subject}, until ${notAfter.toISOString()}`])
      : reasons.map(({ certificate, message }) => [`  ${certificate}: ${message}`])),
  ]);
  if (names.length === 0) output.note("no name was checked: give --name");
}
