// SPDX-License-Identifier: Apache-2.0
/** Writes a file whole or not at all, readable by its owner only unless the caller says otherwise. */

import { dirname, join } from "node:path";
import { PeerctlError } from "../errors.ts";

/** Mode of a file that may hold a key: read and write for its owner. */
export const PRIVATE_FILE_MODE = 0o600;

/** Names that files and directories have until they are complete, or while they are being replaced. */
const UNFINISHED = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(tmp|old)$/;

/** Codes of a file system, or of a quota on it, that is full (errno(3)). */
const FULL_CODES = ["ENOSPC", "EDQUOT"];

export interface WriteOptions {
  /** Permission bits of the finished file, whatever the umask; 0600 if absent. */
  readonly mode?: number;
}

/**
 * Writes `content` to a temporary file in the directory of `path`, forces it to disk and renames it into place.
 *
 * A reader sees the old file or the new one, never a part; a symbolic link at `path` is replaced, not followed.
 *
 * @throws {PeerctlError} as fileError() when the directory is missing or cannot be written; nothing is left behind.
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
    throw fileError(`Cannot write "${path}"`, error);
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

/** What to say of a file that could not be written: kind "limit" when the file system is full, else "config". */
export function fileError(message: string, cause: unknown): PeerctlError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  if (!FULL_CODES.includes(code)) return new PeerctlError("config", `${message}: ${why}`, { cause });
  return new PeerctlError("limit", `${message}: ${why}`, { cause, hint: "make room on that file system" });
}

/** Says that others than the owner may read or write the file that holds a key, or nothing. */
export function looseModeProblem(path: string): string | undefined {
  const mode = (Deno.statSync(path).mode ?? 0) & 0o777;
  if ((mode & 0o077) === 0) return undefined;
  return `others than its owner may use it (mode 0${mode.toString(8).padStart(3, "0")}): chmod 600 keeps them out`;
}

/**
 * Removes what a process that was killed in the middle of writing has left in `dir`, of any file or of the files `names`:
 * the caller knows that nobody writes there now. A directory that does not exist is fine.
 */
export async function removeUnfinished(dir: string, names?: readonly string[]): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(dir)) {
      if (!UNFINISHED.test(name) || names?.includes(name.replace(UNFINISHED, "")) === false) continue;
      await Deno.remove(join(dir, name), { recursive: true });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
