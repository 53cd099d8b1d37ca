// SPDX-License-Identifier: Apache-2.0
/** The certificates that a pod VM image is given for manual TLS: exactly three files, checked, and no other key. */

import { join } from "node:path";
import { readPem } from "../crypto/pem.ts";
import { parseAlternativeNames } from "../crypto/subject_alternative_name.ts";
import { checkTlsPair } from "../crypto/tls_pair_check.ts";
import { PeerctlError } from "../errors.ts";
import { PRIVATE_FILE_MODE } from "../os/private_file.ts";
import { MANUAL_SERVER_NAME } from "../sandbox/agent_tls.ts";
import type { FilePiece } from "./bake_lay.ts";
import type { RootTree } from "./bake_tree.ts";

/** Where a pod VM image has them. */
export const CERTIFICATES_DIR = "/etc/certificates";

/** Flags of apf for them, as a line of /etc/default/agent-protocol-forwarder has them. */
export const TLS_OPTIONS = [
  `-ca-cert-file ${CERTIFICATES_DIR}/ca.crt`,
  `-cert-file ${CERTIFICATES_DIR}/tls.crt`,
  `-cert-key ${CERTIFICATES_DIR}/tls.key`,
].join(" ");

/** The files, with their modes in the guest. */
const MODES = [["ca.crt", 0o644], ["tls.crt", 0o644], ["tls.key", PRIVATE_FILE_MODE]] as const;

/** How the labels of PEM blocks end that hold private keys, of whatever kind (RFC 7468 section 10). */
const KEY_LABEL = "PRIVATE KEY";

/** Longest file of the folder that is looked into for a key, in bytes; certificates have far less. */
const MAX_LOOK_BYTES = 1 << 20;

export interface PodVmCertificates {
  readonly pieces: readonly FilePiece[];
  readonly warnings: readonly string[];
}

/**
 * Reads ca.crt, tls.crt and tls.key of `dir`; whatever else lies there stays there.
 *
 * @throws {PeerctlError} kind "config" when apf could not start with them, or caa would never accept them.
 */
export async function readPodVmCertificates(dir: string): Promise<PodVmCertificates> {
  const { warnings } = await checkTlsPair(
    { caFile: join(dir, "ca.crt"), certFile: join(dir, "tls.crt"), keyFile: join(dir, "tls.key") },
    { role: "server", names: parseAlternativeNames([MANUAL_SERVER_NAME]) },
  );
  const pieces = await Promise.all(MODES.map(async ([name, mode]): Promise<FilePiece> => {
    const from = join(dir, name);
    const content = await Deno.readFile(from);
    refuseStrayKeys(from, content);
    return { kind: "file", path: `${CERTIFICATES_DIR}/${name}`, mode, content };
  }));
  return { pieces, warnings };
}

/** A file may hold more than its name says: the CA's key behind its certificate, say. */
function refuseStrayKeys(path: string, content: Uint8Array): void {
  const keys = readPem(new TextDecoder().decode(content), `"${path}"`).filter(({ label }) => label.endsWith(KEY_LABEL));
  const allowed = path.endsWith(".key") ? 1 : 0;
  if (keys.length <= allowed) return;
  throw new PeerctlError(
    "config",
    `Cannot bake "${path}": it holds ${allowed === 0 ? "a private key" : `${keys.length} private keys`}`,
    { hint: "a pod VM image has one private key, that of tls.crt, in tls.key; take others out of the file" },
  );
}

/**
 * Refuses a tree in which somebody has put another key beside the certificates: with the CA's key, whoever holds the
 * image could pose as every pod VM and every worker node.
 *
 * @throws {PeerctlError} kind "config", naming them.
 */
export async function refuseOtherKeys(tree: RootTree): Promise<void> {
  const dir = await tree.locate(CERTIFICATES_DIR);
  const entries = await Array.fromAsync(Deno.readDir(dir)).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  });
  const keys: string[] = [];
  for (const { name, isFile } of entries) {
    if (name === "tls.key") continue;
    if (name.endsWith(".key") || (isFile && await holdsKey(join(dir, name)))) keys.push(name);
  }
  if (keys.length === 0) return;
  throw new PeerctlError(
    "config",
    `Cannot bake into "${tree.root}": ${keys.sort().join(" and ")} in its ${CERTIFICATES_DIR} ` +
      `${keys.length > 1 ? "hold private keys" : "holds a private key"}`,
    { hint: "a pod VM needs ca.crt, tls.crt and tls.key alone; remove what else is there" },
  );
}

async function holdsKey(path: string): Promise<boolean> {
  if ((await Deno.stat(path)).size > MAX_LOOK_BYTES) return false;
  return (await Deno.readTextFile(path)).includes(`${KEY_LABEL}-----`);
}
