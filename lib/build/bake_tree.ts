// SPDX-License-Identifier: Apache-2.0
/** Opens the root file system tree of a pod VM image and finds paths in it as the guest will, never outside of it. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";

/** Symbolic links followed in one path before it counts as a circle; the kernel's limit (path_resolution(7)). */
const MAX_LINKS = 40;

/** What makes a tree a root file system in which our units can run; of each line one must be there. */
const MARKS = [
  ["/etc"],
  ["/usr"],
  ["/bin/sh"],
  ["/etc/os-release", "/usr/lib/os-release"],
  ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"],
];

export interface RootTree {
  /** Where it lies here, without symbolic links. */
  readonly root: string;
  /**
   * Where `path` of the guest lies here, all symbolic links followed as the guest does; what does not exist yet lies where
   * it would be made. With `keepLast` a link at the very end is not followed.
   *
   * @throws {PeerctlError} kind "state" for links in a circle, or a file where a folder should be.
   */
  locate(path: string, o?: { readonly keepLast?: boolean }): Promise<string>;
  /** What is at `path` of the guest, or undefined. */
  stat(path: string, o?: { readonly keepLast?: boolean }): Promise<Deno.FileInfo | undefined>;
}

export interface OpenTreeOptions {
  /** Allows the root file system that this machine runs on. */
  readonly thisMachine: boolean;
}

/** @throws {PeerctlError} kind "config" when `path` is no root file system, or is the one of this machine. */
export async function openRootTree(path: string, o: OpenTreeOptions): Promise<RootTree> {
  const refuse = (why: string, hint?: string, cause?: unknown) =>
    new PeerctlError("config", `Cannot bake into "${path}": ${why}`, { ...(hint !== undefined && { hint }), cause });
  let root: string;
  try {
    root = await Deno.realPath(path);
  } catch (cause) {
    throw refuse("there is no such folder", undefined, cause);
  }
  const [info, own] = await Promise.all([Deno.stat(root), Deno.stat("/")]);
  if (!info.isDirectory) {
    throw refuse("it is not a folder", "give the folder in which the image is mounted or was made");
  }
  if (info.dev === own.dev && info.ino === own.ino && !o.thisMachine) {
    throw refuse("it is the root of this machine", "--this-machine does it all the same");
  }
  const tree = treeAt(root);
  const missing: string[] = [];
  for (const paths of MARKS) {
    const found = await Promise.all(paths.map((one) => tree.stat(one)));
    if (found.every((one) => one === undefined)) missing.push(paths.join(" or "));
  }
  if (missing.length > 0) {
    throw refuse(
      `it is not a root file system with systemd, ${missing.join(", ")} is missing`,
      "make one with debootstrap or mkosi, for example: debootstrap --variant=minbase --include=systemd bookworm DIR",
    );
  }
  return tree;
}

function treeAt(root: string): RootTree {
  async function locate(path: string, o: { readonly keepLast?: boolean } = {}): Promise<string> {
    const refuse = (why: string) => new PeerctlError("state", `Cannot use "${path}" of the tree: ${why}`);
    const ahead = path.split("/");
    /** Folders below the root that were found, none of them a link. */
    let passed: string[] = [];
    for (let links = 0; ahead.length > 0;) {
      const name = ahead.shift()!;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        passed = passed.slice(0, -1); // above the root there is nothing, as in a chroot
        continue;
      }
      const here = join(root, ...passed, name);
      const info = await lstat(here);
      const isLast = ahead.every((each) => each === "");
      if (info?.isSymlink && !(isLast && o.keepLast)) {
        if (++links > MAX_LINKS) throw refuse("its symbolic links lead in a circle");
        const target = await Deno.readLink(here);
        if (target.startsWith("/")) passed = [];
        ahead.unshift(...target.split("/"));
        continue;
      }
      if (info !== undefined && !info.isDirectory && !isLast) {
        throw refuse(`"/${[...passed, name].join("/")}" is not a folder`);
      }
      passed.push(name);
    }
    return join(root, ...passed);
  }
  return {
    root,
    locate,
    stat: async (path, o) => await lstat(await locate(path, o)),
  };
}

async function lstat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
