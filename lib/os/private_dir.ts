// SPDX-License-Identifier: Apache-2.0
/** Makes directories that nobody else may look into. */

import { PeerctlError } from "../errors.ts";
import { fileError } from "./private_file.ts";

const PRIVATE_DIR_MODE = 0o700;

/** Set on directories like /tmp, where everybody makes files and only owners remove them (inode(7)). */
const STICKY_BIT = 0o1000;

/**
 * Makes a directory and those above it; the last one gets mode 0700, also when it was there before.
 *
 * @throws {PeerctlError} as fileError() when that cannot be, "config" when it is one that everybody shares, like /tmp.
 */
export async function createPrivateDir(path: string): Promise<void> {
  const refusal = `Cannot make directory "${path}" private`;
  try {
    await Deno.mkdir(path, { recursive: true, mode: PRIVATE_DIR_MODE });
    const mode = (await Deno.stat(path)).mode ?? 0;
    if ((mode & STICKY_BIT) !== 0) throw new PeerctlError("config", `${refusal}: everybody shares it`);
    if ((mode & 0o777) !== PRIVATE_DIR_MODE) await Deno.chmod(path, PRIVATE_DIR_MODE);
  } catch (error) {
    throw error instanceof PeerctlError ? error : fileError(refusal, error);
  }
}
