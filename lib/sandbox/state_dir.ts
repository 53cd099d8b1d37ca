// SPDX-License-Identifier: Apache-2.0
/** The folder that one caa owns: it belongs to one process at a time and carries the id of this installation. */

import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { PeerctlError } from "../errors.ts";
import { removeUnfinished, writePrivateFile } from "../os/private_file.ts";
import { createPrivateDir } from "../os/private_dir.ts";

/** 128 bits in hex. */
const INSTALLATION_ID_DIGITS = 32;
const INSTALLATION_ID = /^[0-9a-f]{32}$/;

export interface StateDir extends Disposable {
  /** Tells this installation's instances from those of another caa on the same machine or in the same account. */
  readonly installationId: string;
  /** A folder for one kind of state; its name begins with a dot, so that no sandbox can have it. */
  folder(kind: string): string;
}

/**
 * Takes the pods directory for this process; the lock goes with the process, however it ends.
 *
 * @throws {PeerctlError} kind "state" when another caa has it, "config" when it cannot be used.
 */
export async function openStateDir(options: { podsDir: string; nodeName: string }): Promise<StateDir> {
  const { podsDir } = options;
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
    await removeUnfinished(podsDir);
    const installationId = await readInstallationId(join(podsDir, ".installation-id"), () => deriveId(options));
    return {
      installationId,
      folder: (kind) => join(podsDir, `.${kind}`),
      [Symbol.dispose]: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * The same folder on the same machine and node gives the same id: the folder is usually on a tmpfs, and after a reboot
 * the instances that were started before must still be known as ours.
 */
async function deriveId(options: { podsDir: string; nodeName: string }): Promise<string> {
  const machine = await Deno.readTextFile("/etc/machine-id").catch(() => "");
  const parts = [machine.trim(), options.nodeName, resolve(options.podsDir)];
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, INSTALLATION_ID_DIGITS);
}

async function readInstallationId(path: string, derive: () => Promise<string>): Promise<string> {
  try {
    const text = (await Deno.readTextFile(path)).trim();
    if (INSTALLATION_ID.test(text)) return text;
    throw new PeerctlError("config", `Cannot read installation id from "${path}": it does not hold 32 hex digits`, {
      hint: "instances started earlier carry the old id; restore the file, or remove it once none is left",
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const id = await derive();
  await writePrivateFile(path, `${id}\n`);
  return id;
}
