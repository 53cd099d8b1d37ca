// SPDX-License-Identifier: Apache-2.0
/** The folder that one caa owns: it belongs to one process at a time and carries the id of this installation. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { writePrivateFile } from "../net/private_file.ts";
import { createPrivateDir } from "../net/unix_socket.ts";

/** 128 random bits in hex. */
const INSTALLATION_ID = /^[0-9a-f]{32}$/;

export interface StateDir extends Disposable {
  /** Tells this installation's instances from those of another caa on the same machine or in the same account. */
  readonly installationId: string;
  /** Where a provider may keep its own files; a name that no sandbox can have. */
  providerDir(provider: string): string;
}

/**
 * Takes the pods directory for this process; the lock goes with the process, however it ends.
 *
 * @throws {PeerctlError} kind "state" when another caa has it, "config" when it cannot be used.
 */
export async function openStateDir(podsDir: string): Promise<StateDir> {
  let lock: Deno.FsFile;
  try {
    await createPrivateDir(podsDir);
    lock = await Deno.open(join(podsDir, ".lock"), { create: true, write: true, mode: 0o600 });
  } catch (cause) {
    throw new PeerctlError("config", `Cannot use pods directory "${podsDir}"`, { cause });
  }
  try {
    if (!await lock.tryLock(true)) {
      throw new PeerctlError("state", `Cannot use pods directory "${podsDir}": another caa is using it`, {
        hint: "stop that one first, or give this one its own -pods-dir and -socket",
      });
    }
    const installationId = await readInstallationId(join(podsDir, ".installation-id"));
    return {
      installationId,
      providerDir: (provider) => join(podsDir, `.${provider}`),
      [Symbol.dispose]: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

async function readInstallationId(path: string): Promise<string> {
  try {
    const text = (await Deno.readTextFile(path)).trim();
    if (INSTALLATION_ID.test(text)) return text;
    throw new PeerctlError("config", `Cannot read installation id from "${path}": it does not hold 32 hex digits`, {
      hint: "instances started earlier carry the old id; restore the file, or remove it once none is left",
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const id = crypto.randomUUID().replaceAll("-", "");
  await writePrivateFile(path, `${id}\n`);
  return id;
}
