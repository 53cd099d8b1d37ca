// SPDX-License-Identifier: Apache-2.0
/** Keeps the CA and the client certificate of automatic mutual TLS across restarts, in private files. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "@logtape/logtape";
import { type AutomaticTlsKeys, generateAutomaticTlsKeys } from "../crypto/automatic.ts";
import { writeFileSet } from "../os/file_set.ts";
import { removeUnfinished } from "../os/private_file.ts";
import type { Clock } from "../os/clock.ts";

/** File names in the folder, by what they hold. */
const FILES = {
  caCert: "ca.crt",
  caKey: "ca.key",
  clientCert: "client.crt",
  clientKey: "client.key",
} as const satisfies Record<keyof AutomaticTlsKeys, string>;

/**
 * Validity that must be left for certificates to be used on, in milliseconds: a pod VM gets its certificate once, from
 * a CA that must outlast it. Pod VMs that run keep what they were given.
 */
const ENOUGH_LEFT_MS = 365 * 24 * 3_600_000;

/**
 * Reads the keys from `dir`, or makes new ones when there are none, one is missing, two do not fit, or they end soon.
 *
 * @throws {PeerctlError} kind "config" when they cannot be written.
 */
export async function keepTlsKeys(options: { dir: string; clock: Clock; log: Logger }): Promise<AutomaticTlsKeys> {
  const { dir, clock, log } = options;
  await removeUnfinished(dir);
  const kept = await readKeys(dir);
  const fault = kept === undefined ? undefined : faultOf(kept, clock.now());
  if (kept !== undefined && fault === undefined) return kept;
  const keys = await generateAutomaticTlsKeys();
  const files = Object.entries(FILES).map(([what, name]) => ({
    name,
    content: keys[what as keyof AutomaticTlsKeys],
    mode: 0o600,
  }));
  await writeFileSet(dir, files, { replace: true });
  log.info("Certificates for pod VMs made", { dir, reason: fault ?? "there were none" });
  return keys;
}

async function readKeys(dir: string): Promise<AutomaticTlsKeys | undefined> {
  try {
    const texts = await Promise.all(Object.values(FILES).map((name) => Deno.readTextFile(join(dir, name))));
    const [caCert = "", caKey = "", clientCert = "", clientKey = ""] = texts;
    return { caCert, caKey, clientCert, clientKey };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Why the keys cannot be used on; undefined when they can. */
function faultOf(keys: AutomaticTlsKeys, nowMs: number): string | undefined {
  try {
    for (const [cert, key] of [[keys.caCert, keys.caKey], [keys.clientCert, keys.clientKey]] as const) {
      const certificate = new X509Certificate(cert);
      if (!certificate.checkPrivateKey(createPrivateKey(key))) return "a key does not fit its certificate";
      if (certificate.validToDate.getTime() - nowMs < ENOUGH_LEFT_MS) return "a certificate ends soon";
    }
    return undefined;
  } catch {
    return "a file cannot be read as a certificate or key";
  }
}
