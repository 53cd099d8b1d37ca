// SPDX-License-Identifier: Apache-2.0
/** Tries mutual TLS between every two ends with certificates of each kind, and writes the outcome as a page. */

import { join } from "node:path";
import { createCertificateSet } from "../crypto/certificate_set.ts";
import { readAuthority } from "../crypto/certificates_authority.ts";
import { KEY_TYPES, type KeyType } from "../crypto/keys.ts";
import { readPem } from "../crypto/pem.ts";
import { parseAlternativeNames } from "../crypto/subject_alternative_name.ts";
import { makeOpensslCa, type OpensslCa } from "./openssl_authority.ts";
import type { EndFiles, TlsEnd, TlsVersion } from "./tls_ends.ts";

const VERSIONS: readonly TlsVersion[] = ["1.2", "1.3"];

/** Certificates of one kind, laid into a directory. */
export interface MatrixRow {
  readonly name: string;
  /** True: the CA of both sides is an intermediate one, which openssl has to be told to trust. */
  readonly isPartial: boolean;
  readonly server: EndFiles;
  readonly client: EndFiles;
}

export interface MatrixCell {
  readonly row: string;
  readonly client: string;
  readonly server: string;
  readonly version: TlsVersion;
  /** Undefined when it works. */
  readonly failure: string | undefined;
}

/** One row for each key type, then rows with CAs of other types above the leaves. */
export async function makeRows(dir: string): Promise<MatrixRow[]> {
  const rows: MatrixRow[] = [];
  for (const keyType of KEY_TYPES) rows.push(await layRow(join(dir, keyType), keyType, keyType));
  const chains: [KeyType, KeyType, KeyType][] = [
    ["rsa-2048", "ecdsa-p384", "ed25519"],
    ["ed25519", "rsa-3072", "ecdsa-p256"],
    ["ecdsa-p384", "ed25519", "rsa-2048"],
  ];
  for (const [root, middle, leaf] of chains) {
    const [top, below] = await makeChain(join(dir, `${root}-${leaf}`), root, middle);
    const name = `${leaf} below ${middle} below ${root}`;
    rows.push(await layRow(join(dir, `${root}-${leaf}`), leaf, name, { ca: below, above: [top.cert] }));
  }
  const [, below] = await makeChain(join(dir, "partial"), "ecdsa-p256", "ecdsa-p256");
  const name = "ecdsa-p256, ca.crt is no root";
  rows.push({ ...await layRow(join(dir, "partial"), "ecdsa-p256", name, { ca: below, above: [] }), isPartial: true });
  return rows;
}

async function makeChain(dir: string, root: KeyType, middle: KeyType): Promise<[OpensslCa, OpensslCa]> {
  await Deno.mkdir(dir);
  const top = await makeOpensslCa(dir, "root", { keyType: root });
  return [top, await makeOpensslCa(dir, "middle", { keyType: middle, issuer: top })];
}

async function layRow(
  dir: string,
  keyType: KeyType,
  name: string,
  below?: { ca: OpensslCa; above: readonly string[] },
): Promise<MatrixRow> {
  await Deno.mkdir(dir, { recursive: true });
  const now = new Date();
  const authority = below && readAuthority({
    cert: [below.ca.cert, ...below.above].map((path) => Deno.readTextFileSync(path)).join(""),
    key: Deno.readTextFileSync(below.ca.key),
    certName: "CA",
    keyName: "key",
  }, { now, usages: ["server", "client"] });
  const files = await createCertificateSet({
    names: parseAlternativeNames(["podvm-server"]),
    subject: [],
    keyType,
    days: 1,
    now,
    authority,
  });
  for (const { name, content } of files) await Deno.writeTextFile(join(dir, name), content);
  const end = async (leaf: string): Promise<EndFiles> => {
    const pem = files.find(({ name }) => name === `${leaf}.crt`)!.content;
    const above = readPem(pem, leaf).slice(1).map(({ text }) => text).join("");
    const chain = above === "" ? "" : join(dir, `${leaf}.chain`);
    if (above !== "") await Deno.writeTextFile(chain, above);
    return { ca: join(dir, "ca.crt"), cert: join(dir, `${leaf}.crt`), key: join(dir, `${leaf}.key`), chain };
  };
  return { name, isPartial: false, server: await end("tls"), client: await end("client") };
}

/** Tries every client with every server over both versions; the cell of two ends that choose another version is left out. */
export async function tryRow(row: MatrixRow, ends: readonly TlsEnd[]): Promise<MatrixCell[]> {
  const cells: MatrixCell[] = [];
  for (const server of ends) {
    for (const version of VERSIONS) {
      await using serving = await server.serve(row.server, version);
      for (const client of ends) {
        const cell = { row: row.name, client: client.name, server: server.name, version };
        try {
          const used = await client.call(row.client, serving.port, version);
          if (used === version) cells.push({ ...cell, failure: undefined });
          else if (client !== server) cells.push({ ...cell, failure: `TLS ${used} was used` });
        } catch (error) {
          cells.push({ ...cell, failure: (error as Error).message });
        }
      }
    }
  }
  return cells;
}

export function matrixPage(rows: readonly string[], ends: readonly string[], cells: readonly MatrixCell[]): string {
  const pairs = ends.flatMap((client) => ends.map((server) => ({ client, server })));
  const table = [
    ["Certificates", ...pairs.map(({ client, server }) => `${client} → ${server}`)],
    ["---", ...pairs.map(() => "---")],
    ...rows.map((row) => [
      row,
      ...pairs.map(({ client, server }) =>
        cells.filter((cell) => cell.row === row && cell.client === client && cell.server === server)
          .map(({ version, failure }) => failure === undefined ? version : `**not ${version}**`).join(", ")
      ),
    ]),
  ];
  const failures = cells.filter(({ failure }) => failure !== undefined);
  return `# Key types in mutual TLS

Written by \`key_types_peer_test.ts\`, which makes certificates as \`peerctl certgen\` does and lets every client (left of
the arrow) connect to every server: openssl (\`-x509_strict\`), Go's crypto/tls, and peerctl on Deno ${Deno.version.deno}. A cell
names the TLS versions over which both sides verified each other and a line came back. peerctl on both sides always
uses TLS 1.3. The CAs of rows with "below" are made by openssl. In the last row the CA that both sides trust is an
intermediate one; openssl needs \`-partial_chain\` for that.

${table.map((row) => `| ${row.join(" | ")} |`).join("\n")}

${failures.length === 0 ? "Nothing fails." : `Failures: ${failures.length}.`}
`;
}
