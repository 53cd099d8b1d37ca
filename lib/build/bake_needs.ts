// SPDX-License-Identifier: Apache-2.0
/** Finds out which architecture a root file system tree is for, and what it lacks to run a program. */

import { PeerctlError } from "../errors.ts";
import { readElf } from "./elf.ts";
import type { RootTree } from "./bake_tree.ts";
import { machineOf, type Target, TARGETS } from "./runtime.ts";

/** Where the dynamic loader looks, beside the folder of a multiarch distribution (ld.so(8)). */
const LIBRARY_FOLDERS = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/** Longest library or shell that is read, in bytes: a libc has 2,000,000. */
const MAX_BYTES = 64 << 20;

/**
 * The target whose programs the tree's shell is one of.
 *
 * @throws {PeerctlError} kind "config" when peerctl is not built for it.
 */
export async function targetOf(tree: RootTree): Promise<Target> {
  const { machine } = readElf(await readSmall(tree, "/bin/sh"), `"/bin/sh" of the tree`);
  const target = TARGETS.find((each) => machineOf(each) === machine);
  if (target !== undefined) return target;
  throw new PeerctlError("config", `Cannot bake into "${tree.root}": its programs are for machine ${machine}`, {
    hint: `peerctl is built for ${TARGETS.join(" and ")}`,
  });
}

/**
 * What `program`, an ELF executable for `target`, needs and does not find in the tree: its loader, libraries, versions of
 * the C library.
 */
export async function missingNeeds(tree: RootTree, program: Uint8Array, target: Target): Promise<string[]> {
  const facts = readElf(program, "the program");
  const missing: string[] = [];
  if (facts.interpreter !== undefined && await tree.stat(facts.interpreter) === undefined) {
    missing.push(`${facts.interpreter}, the dynamic loader`);
  }
  const multiarch = target.replace("-unknown", "");
  const folders = [`/lib/${multiarch}`, `/usr/lib/${multiarch}`, ...LIBRARY_FOLDERS];
  const find = async (name: string) => {
    for (const folder of folders) if ((await tree.stat(`${folder}/${name}`))?.isFile) return `${folder}/${name}`;
    return undefined;
  };
  for (const name of facts.libraries) {
    // The loader itself may be named as a library; it has its own path.
    if (facts.interpreter?.endsWith(`/${name}`)) continue;
    if (await find(name) === undefined) missing.push(name);
  }
  const libc = await find("libc.so.6");
  if (libc !== undefined) {
    const offered = new Set(readElf(await readSmall(tree, libc), `"${libc}" of the tree`).glibcVersions);
    const lacking = facts.glibcVersions.filter((version) => !offered.has(version));
    if (lacking.length > 0) missing.push(`${lacking.join(" and ")} in ${libc}`);
  }
  return missing;
}

async function readSmall(tree: RootTree, path: string): Promise<Uint8Array> {
  const real = await tree.locate(path);
  const info = await Deno.stat(real);
  if (!info.isFile || info.size > MAX_BYTES) {
    throw new PeerctlError(
      "config",
      `Cannot read "${path}" of the tree: ${
        info.isFile ? `${info.size} bytes, limit ${MAX_BYTES}` : "it is not a file"
      }`,
    );
  }
  return await Deno.readFile(real);
}
