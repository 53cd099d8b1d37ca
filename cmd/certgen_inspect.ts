// SPDX-License-Identifier: Apache-2.0
/** `peerctl certgen inspect`: shows what is in certificates, keys and requests, and what is likely wrong with them. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { boolFlag, intFlag } from "../lib/cli/flags.ts";
import type { Output } from "../lib/cli/output.ts";
import type { InspectedFile, InspectedItem } from "../lib/crypto/certificates_inspect.ts";
import { throwProblems } from "../lib/errors.ts";
import { readSmallBytes } from "../lib/net/tls_files.ts";
import { looseModeProblem } from "../lib/os/private_file.ts";

/** Most files of one call. */
const MAX_FILES = 1000;

/** Largest --warn-days: ten years. */
const MAX_DAYS = 3650;

interface ShownFile extends InspectedFile {
  readonly file: string;
}

export default defineCommand({
  name: "certgen inspect",
  summary: "show what is in certificates, keys and requests, with warnings",
  description:
    "Shows every certificate, key and request of each FILE (PEM, also several in one file, or a certificate in DER). Of a " +
    "private key only type, size and the fingerprint of its public half are shown: certificate and key that belong " +
    "together have the same. Certificates, requests and keys given together are also compared.",
  flags: {
    warnDays: intFlag("warn-days", {
      default: 0,
      min: 0,
      max: MAX_DAYS,
      help: "warn of certificates with fewer days left; 0 is 30 days, or the last third of a shorter life",
    }),
    failOnWarning: boolFlag("fail-on-warning", { help: "end with 1 when there are warnings" }),
  },
  positional: { name: "FILE", help: "certificate, key, request or bundle of them", min: 1, max: MAX_FILES },
  goStyle: false,
  examples: [
    { text: "One certificate", command: "certgen inspect tls.crt" },
    { text: "Do they belong together?", command: "certgen inspect tls.crt tls.key" },
    {
      text: "Fail two weeks before one expires",
      command: "certgen inspect --fail-on-warning --warn-days 14 ca.crt tls.crt --output json",
    },
  ],
  async run({ values, args, output }) {
    const { inspectBytes, strayKeys } = await import("../lib/crypto/certificates_inspect.ts");
    const options = { now: new Date(), warnDays: values.warnDays === 0 ? undefined : values.warnDays };
    const files: ShownFile[] = [];
    const problems: unknown[] = [];
    for (const file of args) {
      try {
        const found = await inspectBytes(readSmallBytes(file, "certificate or key"), `"${file}"`, options);
        files.push({ file, ...found, warnings: [...found.warnings, ...modeWarnings(file, found.items)] });
      } catch (error) {
        problems.push(error);
      }
    }
    const stray = strayKeys(files);
    const shown = files.map(({ file, items, warnings }) => ({
      file,
      items: items.map((item) =>
        stray.has(item)
          ? { ...item, warnings: [...item.warnings, "it belongs to none of the certificates and requests given"] }
          : item
      ),
      warnings,
    }));
    const count = shown.flatMap(({ items, warnings }) => [
      ...warnings,
      ...items.flatMap((item) => item.warnings),
    ]).length;
    if (output.format === "json") output.json({ files: shown, warnings: count });
    else show(output, shown);
    throwProblems(problems);
    return values.failOnWarning && count > 0 ? ExitCode.failed : ExitCode.done;
  },
});

function modeWarnings(file: string, items: readonly InspectedItem[]): string[] {
  const problem = items.some(({ kind }) => kind === "private-key") ? looseModeProblem(file) : undefined;
  return problem === undefined ? [] : [`it holds a private key, and ${problem}`];
}

function show(output: Output, files: readonly ShownFile[]): void {
  for (const { file, items, warnings } of files) {
    output.table([[`${file}:`]]);
    for (const item of items) output.table(rows(item).map(([label, value]) => [`  ${label}`, value]));
    output.table(warnings.map((warning) => [`  warning: ${warning}`]));
  }
}

/** What a person wants to see of one thing, most wanted first. */
function rows(item: InspectedItem): (readonly [label: string, value: string])[] {
  const key: readonly [string, string][] = item.key === null
    ? []
    : [["key", item.key.type], ["public key SHA-256", item.key.sha256]];
  const warnings = item.warnings.map((warning) => ["warning", warning] as const);
  if (item.kind !== "certificate" && item.kind !== "request") {
    return [[item.kind === "private-key" ? "private key" : "public key", ""], ...key, ...warnings];
  }
  const names = item.names.map(({ value }) => value).join(", ");
  const authority = item.pathLength === null ? "yes" : `yes, with at most ${item.pathLength} below it`;
  const contents: readonly [string, string][] = [
    ["names", names],
    ["CA", item.isCa ? authority : "no"],
    ["key usage", item.keyUsages?.join(", ") ?? ""],
    ["extended key usage", item.extendedKeyUsages?.join(", ") ?? ""],
    ...key,
    ["signature", item.signature],
  ];
  if (item.kind === "request") {
    return [
      ["request", item.subject],
      ...contents.filter(([, value]) => value !== ""),
      ...warnings,
    ];
  }
  return [
    ["certificate", item.subject],
    ["issuer", item.issuer],
    ["serial number", item.serial],
    ["valid", `${item.notBefore} to ${item.notAfter}, ${item.daysLeft} days left`],
    ...contents.filter(([, value]) => value !== ""),
    ["certificate SHA-256", item.sha256],
    ...warnings,
  ];
}
