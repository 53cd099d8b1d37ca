// SPDX-License-Identifier: Apache-2.0
/** Lays files, folders and links into a root file system tree, each whole or not at all, and says what that changed. */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { lchown } from "node:fs/promises";
import { dirname } from "node:path";
import { PeerctlError } from "../errors.ts";
import { fileError, removeUnfinished, syncDirectory, writeTemporary } from "../os/private_file.ts";
import type { RootTree } from "./bake_tree.ts";

export interface FilePiece {
  readonly kind: "file";
  /** In the guest, absolute. */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

export interface LinkPiece {
  readonly kind: "link";
  readonly path: string;
  readonly target: string;
}

/** A folder of which the mode matters; all others are made as they are needed, with mode 755. */
export interface FolderPiece {
  readonly kind: "folder";
  readonly path: string;
  readonly mode: number;
}

export type Piece = FilePiece | LinkPiece | FolderPiece;

export interface LaidPiece {
  readonly path: string;
  readonly change: "new" | "replaced" | "unchanged" | "removed";
  readonly mode?: string;
  readonly sha256?: string;
  readonly link?: string;
}

/** Who is to own it all. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const FOLDER_MODE = 0o755;
const MODE_BITS = 0o7777;

/** @throws {PeerctlError} kind "state" when a folder is in the way; as fileError() when it cannot be written. */
export async function layPiece(tree: RootTree, piece: Piece, owner: Owner): Promise<LaidPiece> {
  const { path } = piece;
  const facts = {
    path,
    ...(piece.kind !== "link" && { mode: octal(piece.mode) }),
    ...(piece.kind === "file" && { sha256: createHash("sha256").update(piece.content).digest("hex") }),
    ...(piece.kind === "link" && { link: piece.target }),
  };
  const here = await tree.locate(path, { keepLast: true });
  try {
    await makeFolders(dirname(here), owner);
    const there = await tree.stat(path, { keepLast: true });
    if (there !== undefined && (piece.kind === "folder") !== there.isDirectory) {
      throw new PeerctlError(
        "state",
        `Cannot lay "${path}": there is ${
          there.isDirectory ? "a folder" : "no folder, but something else,"
        } of that name`,
      );
    }
    if (there !== undefined && await isSame(here, there, piece, owner)) return { ...facts, change: "unchanged" };
    if (piece.kind === "folder") {
      if (there === undefined) await Deno.mkdir(here);
      await Deno.chown(here, owner.uid, owner.gid);
      await Deno.chmod(here, piece.mode);
    } else {
      await removeUnfinished(dirname(here));
      await putInPlace(here, piece, owner);
    }
    return { ...facts, change: there === undefined ? "new" : "replaced" };
  } catch (error) {
    throw error instanceof PeerctlError ? error : fileError(`Cannot lay "${path}"`, error);
  }
}

/** Removes a file or link, if there is one. */
export async function removePiece(tree: RootTree, path: string): Promise<LaidPiece | undefined> {
  if (await tree.stat(path, { keepLast: true }) === undefined) return undefined;
  const here = await tree.locate(path, { keepLast: true });
  await Deno.remove(here, { recursive: true });
  await syncDirectory(dirname(here));
  return { path, change: "removed" };
}

async function putInPlace(here: string, piece: FilePiece | LinkPiece, owner: Owner): Promise<void> {
  let temporary = `${here}.${crypto.randomUUID()}.tmp`;
  if (piece.kind === "link") await Deno.symlink(piece.target, temporary);
  else temporary = await writeTemporary(here, piece.content, piece.mode);
  try {
    await lchown(temporary, owner.uid, owner.gid);
    await Deno.rename(temporary, here);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await syncDirectory(dirname(here));
}

async function isSame(here: string, there: Deno.FileInfo, piece: Piece, owner: Owner): Promise<boolean> {
  if (there.uid !== owner.uid || there.gid !== owner.gid) return false;
  if (piece.kind === "link") return there.isSymlink && await Deno.readLink(here) === piece.target;
  if (((there.mode ?? 0) & MODE_BITS) !== piece.mode) return false;
  if (piece.kind === "folder") return true;
  if (!there.isFile || there.size !== piece.content.byteLength) return false;
  return Buffer.compare(await Deno.readFile(here), piece.content) === 0;
}

/** Makes what is missing of the folders above a piece; `folder` holds no symbolic links. */
async function makeFolders(folder: string, owner: Owner): Promise<void> {
  try {
    if ((await Deno.lstat(folder)).isDirectory) return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await makeFolders(dirname(folder), owner);
  await Deno.mkdir(folder);
  // Whatever the umask and a setgid folder above it would have made of it.
  await Deno.chown(folder, owner.uid, owner.gid);
  await Deno.chmod(folder, FOLDER_MODE);
}

const octal = (mode: number): string => mode.toString(8).padStart(4, "0");
