// SPDX-License-Identifier: Apache-2.0
/** Puts files that were sent in pieces below one folder, as they would lie below the root of a guest. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { createPrivateDir } from "../../../os/private_dir.ts";
import type { CopyFileRequest } from "../../../proto/gen/agent_pb.ts";
import { Code, RpcError } from "../../../ttrpc/status.ts";
import { createTurns } from "../turns.ts";

/** Longest path and longest name in it, in bytes (Linux PATH_MAX and NAME_MAX). */
const MAX_PATH_BYTES = 4095, MAX_NAME_BYTES = 255;
/** Most entries and most bytes that are kept: far more than a pod's config maps and secrets of 1 MiB each. */
const MAX_ENTRIES = 10_000, MAX_TOTAL_BYTES = 1 << 30;

/** File types in st_mode (inode(7)). */
const TYPE_MASK = 0o170000, TYPE_FILE = 0o100000, TYPE_DIRECTORY = 0o040000, TYPE_SYMLINK = 0o120000;
const PERMISSIONS = 0o777, OWNER_ALL = 0o700, DEFAULT_DIRECTORY_MODE = 0o755;

export interface CopiedFiles {
  /**
   * Takes one piece. A file appears under its path when its last piece came; its pieces come in order.
   *
   * @throws {RpcError} INVALID_ARGUMENT, PERMISSION_DENIED (a symbolic link in the way), RESOURCE_EXHAUSTED.
   */
  copy(request: CopyFileRequest): Promise<void>;
}

/** @param dir holds everything; nothing outside it is ever written. Made if missing. */
export async function createCopiedFiles(dir: string): Promise<CopiedFiles> {
  const root = join(dir, "files"), parts = join(dir, "parts");
  for (const path of [dir, root, parts]) await createPrivateDir(path);
  const turns = createTurns();
  const sizes = new Map<string, number>();
  let total = 0;

  function account(path: string, size: number): void {
    const after = total - (sizes.get(path) ?? 0) + size;
    if (after > MAX_TOTAL_BYTES || (sizes.size >= MAX_ENTRIES && !sizes.has(path))) {
      throw new RpcError(
        Code.resourceExhausted,
        `Cannot copy file: limit is ${MAX_ENTRIES} files with ${MAX_TOTAL_BYTES} bytes in all`,
      );
    }
    sizes.set(path, size);
    total = after;
  }

  async function copyFile(target: string, request: CopyFileRequest): Promise<void> {
    const { data } = request;
    const size = Number(request.fileSize), offset = Number(request.offset);
    if (size < 0 || offset < 0 || offset + data.byteLength > size) {
      throw new RpcError(Code.invalidArgument, "Cannot copy file: a piece of it lies outside its size");
    }
    const part = join(parts, createHash("sha256").update(target).digest("hex"));
    if (offset === 0) {
      account(target, size);
      await Deno.remove(part).catch(() => {});
    }
    const written = await writePart(part, offset, data);
    if (written !== size) return;
    await Deno.chmod(part, request.fileMode & PERMISSIONS);
    await giveTo(part, request);
    await Deno.rename(part, target);
  }

  async function copyLink(target: string, request: CopyFileRequest): Promise<void> {
    const link = join(parts, `link-${crypto.randomUUID()}`);
    account(target, 0);
    await Deno.symlink(new TextDecoder().decode(request.data), link);
    await Deno.rename(link, target);
  }

  async function copyDirectory(target: string, request: CopyFileRequest): Promise<void> {
    account(target, 0);
    await makeDirectory(target, request.fileMode);
    await Deno.chmod(target, (request.fileMode & PERMISSIONS) | OWNER_ALL);
    await giveTo(target, request);
  }

  async function copy(request: CopyFileRequest): Promise<void> {
    const target = join(root, ...namesOf(request.path));
    await makeParents(root, namesOf(request.path), request.dirMode);
    const type = request.fileMode & TYPE_MASK;
    if (type === TYPE_DIRECTORY) return await copyDirectory(target, request);
    if (type === TYPE_SYMLINK) return await copyLink(target, request);
    if (type === TYPE_FILE || type === 0) return await copyFile(target, request);
    throw new RpcError(Code.invalidArgument, "Cannot copy file: it is neither file, directory nor symbolic link");
  }

  return {
    copy: (request) =>
      turns.take("copy", async () => {
        try {
          await copy(request);
        } catch (cause) {
          if (cause instanceof RpcError) throw cause;
          const why = cause instanceof Error ? cause.message : String(cause);
          throw new RpcError(Code.internal, `Cannot copy file: ${why}`, { cause });
        }
      }),
  };
}

/** The names in an absolute path; none of them leads upwards. */
function namesOf(path: string): string[] {
  const names = path.split("/").slice(1).filter((name) => name !== "");
  const bytes = new TextEncoder().encode(path).byteLength;
  const isBad = (name: string) =>
    name === "." || name === ".." || new TextEncoder().encode(name).length > MAX_NAME_BYTES;
  if (
    !path.startsWith("/") || bytes > MAX_PATH_BYTES || path.includes("\0") || names.length === 0 || names.some(isBad)
  ) {
    throw new RpcError(Code.invalidArgument, "Cannot copy file: its path must be absolute, without . and .. in it");
  }
  return names;
}

/** Makes the directories above the last name, following no symbolic link. */
async function makeParents(root: string, names: readonly string[], mode: number): Promise<void> {
  let path = root;
  for (const name of names.slice(0, -1)) {
    path = join(path, name);
    await makeDirectory(path, mode === 0 ? DEFAULT_DIRECTORY_MODE : mode);
  }
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await Deno.mkdir(path, { mode: OWNER_ALL });
    await Deno.chmod(path, (mode & PERMISSIONS) | OWNER_ALL); // whatever the umask
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const { isDirectory, isSymlink } = await Deno.lstat(path);
  if (isDirectory) return;
  throw isSymlink
    ? new RpcError(Code.permissionDenied, "Cannot copy file: its path leads through a symbolic link")
    : new RpcError(Code.failedPrecondition, "Cannot copy file: its path leads through a file");
}

/** Writes one piece at its place and returns how long the file is then. */
async function writePart(part: string, offset: number, data: Uint8Array): Promise<number> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(part, { write: true, createNew: offset === 0, mode: 0o600 });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new RpcError(Code.failedPrecondition, "Cannot copy file: its first piece has not come", { cause });
  }
  using _ = file;
  await file.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < data.byteLength;) at += await file.write(data.subarray(at));
  return (await file.stat()).size;
}

/** Only root can give a file away; for anyone else it stays ours. */
async function giveTo(path: string, { uid, gid }: CopyFileRequest): Promise<void> {
  if (Deno.uid() === 0 && uid >= 0 && gid >= 0) await Deno.chown(path, uid, gid);
}
