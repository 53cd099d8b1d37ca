// SPDX-License-Identifier: Apache-2.0
/** Writes a file whole or not at all, readable by its owner only unless the caller says otherwise. */

import { dirname } from "node:path";
import { PeerctlError } from "../errors.ts";

/** Mode of a file that may hold a key: read and write for its owner. */
export const PRIVATE_FILE_MODE = 0o600;

export interface WriteOptions {
  /** Permission bits of the finished file, whatever the umask; 0600 if absent. */
  readonly mode?: number;
}

/**
 * Writes `content` to a temporary file in the directory of `path`, forces it to disk and renames it into place.
 *
 * A reader sees the old file or the new one, never a part; a symbolic link at `path` is replaced, not followed.
 *
 * @throws {PeerctlError} kind "config" when the directory is missing or cannot be written; nothing is left behind.
 */
export async function writePrivateFile(
  path: string,
  content: string | Uint8Array,
  o: WriteOptions = {},
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    const temporary = await writeTemporary(path, bytes, o.mode ?? PRIVATE_FILE_MODE);
    try {
      await Deno.rename(temporary, path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
    await syncDirectory(dirname(path));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PeerctlError("config", `Cannot write "${path}": ${why}`, { cause: error });
  }
}

/** Writes `bytes` beside `path` under a name of its own and returns that name; on failure nothing is left. */
export async function writeTemporary(path: string, bytes: Uint8Array, mode: number): Promise<string> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    // Created 0600 and widened afterwards: never wider than asked for, and not narrowed by the umask.
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: PRIVATE_FILE_MODE });
    let written = 0;
    while (written < bytes.byteLength) written += await file.write(bytes.subarray(written));
    if (mode !== PRIVATE_FILE_MODE) await Deno.chmod(temporary, mode);
    await file.sync();
    return temporary;
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/** Forces the names in a directory to disk; without it a rename can be lost in a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path, { read: true });
  await directory.sync();
}
