// SPDX-License-Identifier: Apache-2.0
/** Writes several files that belong together: all of them appear, or none. */

import { basename, dirname, join, resolve } from "node:path";
import { PeerctlError } from "../errors.ts";
import { fileError, removeUnfinished, syncDirectory, writeTemporary } from "./private_file.ts";

/** Mode of a directory that is made for the files: there are keys among them. */
const DIRECTORY_MODE = 0o700;

export interface FileOfSet {
  /** Without a directory. */
  readonly name: string;
  readonly content: string;
  readonly mode: number;
}

/**
 * Refuses a directory in which one of the files exists already, so that nothing need be made first.
 *
 * @throws {PeerctlError} kind "state", naming all that exist; kind "config" when the directory is something else.
 */
export async function checkFileSet(dir: string, names: readonly string[]): Promise<void> {
  const taken: string[] = [];
  try {
    if (await lstat(dir) === undefined) return;
    if (!(await Deno.stat(dir)).isDirectory) throw new Error("it is not a directory");
    for (const name of names) if (await lstat(join(dir, name))) taken.push(name);
  } catch (error) {
    throw cannotWrite(dir, error);
  }
  if (taken.length === 0) return;
  throw new PeerctlError(
    "state",
    `Cannot write to "${dir}": ${taken.join(", ")} ${taken.length > 1 ? "exist" : "exists"}`,
    {
      hint: "nothing was changed; use --force to replace the files",
    },
  );
}

/**
 * Writes the files to `dir`, which is made if it is missing.
 *
 * A new directory is filled beside its place and renamed. In an existing one every file is complete beside its place
 * before the first gets its name; when one cannot get it, those before it are taken back and the old ones restored. One
 * writer of a directory waits for the other.
 * Without `replace` no file is ever overwritten, also not one that appears meanwhile.
 *
 * @throws {PeerctlError} as checkFileSet(), or as fileError() when a file cannot be written.
 */
export async function writeFileSet(
  dir: string,
  files: readonly FileOfSet[],
  o: { readonly replace: boolean },
): Promise<void> {
  if (!o.replace) await checkFileSet(dir, files.map(({ name }) => name));
  try {
    if (await lstat(dir)) await fill(dir, files, o.replace);
    else await make(resolve(dir), files);
  } catch (error) {
    throw error instanceof PeerctlError ? error : cannotWrite(dir, error);
  }
}

async function make(dir: string, files: readonly FileOfSet[]): Promise<void> {
  const parent = dirname(dir);
  await Deno.mkdir(parent, { recursive: true });
  const partial = join(parent, `.${basename(dir)}.${crypto.randomUUID()}.tmp`);
  await Deno.mkdir(partial, { mode: DIRECTORY_MODE });
  try {
    for (const { name, content, mode } of files) {
      const path = join(partial, name);
      await Deno.rename(await writeTemporary(path, new TextEncoder().encode(content), mode), path);
    }
    await syncDirectory(partial);
    // Fails when someone made the directory meanwhile and put something into it.
    await Deno.rename(partial, dir);
    await syncDirectory(parent);
  } catch (error) {
    await Deno.remove(partial, { recursive: true }).catch(() => {});
    throw error;
  }
}

async function fill(dir: string, files: readonly FileOfSet[], replace: boolean): Promise<void> {
  // One writer at a time: of two that replace at once each would move and take back files of the other.
  using directory = await Deno.open(dir);
  await directory.lock(true);
  /** What to do to take everything back, last step first. */
  const undo: Array<() => Promise<void>> = [];
  /** What must not stay when it fails. */
  const leftOver: string[] = [];
  try {
    const ready: Array<{ path: string; temporary: string }> = [];
    for (const { name, content, mode } of files) {
      const path = join(dir, name);
      const temporary = await writeTemporary(path, new TextEncoder().encode(content), mode);
      ready.push({ path, temporary });
      leftOver.push(temporary);
    }
    for (const { path, temporary } of ready) {
      const old = replace ? await keepOld(path) : undefined;
      if (old === undefined) {
        // A hard link, unlike a rename, never replaces a file that appeared meanwhile.
        await Deno.link(temporary, path);
        undo.unshift(() => Deno.remove(path));
      } else {
        leftOver.push(old);
        undo.unshift(() => Deno.rename(old, path));
        await Deno.rename(temporary, path);
      }
    }
    await syncDirectory(dir);
  } catch (error) {
    for (const step of undo) await step();
    for (const path of leftOver) await Deno.remove(path).catch(() => {});
    throw error;
  }
  // Ours, and what a writer has left that was killed: there may be keys among it.
  await removeUnfinished(dir, files.map(({ name }) => name));
}

/**
 * Gives what is at `path`, if there is something, a second name and returns that. So whoever is killed here, and whoever
 * reads meanwhile: there is a file. Only where the kernel allows no second name, to a file of another user, it is moved.
 */
async function keepOld(path: string): Promise<string | undefined> {
  const there = await lstat(path);
  if (there === undefined) return undefined;
  if (there.isDirectory) throw new PeerctlError("config", `Cannot replace "${path}": it is a directory`);
  const old = `${path}.${crypto.randomUUID()}.old`;
  await Deno.link(path, old).catch(() => Deno.rename(path, old));
  return old;
}

async function lstat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function cannotWrite(dir: string, why: unknown): PeerctlError {
  return fileError(`Cannot write to "${dir}"`, why);
}
