// SPDX-License-Identifier: Apache-2.0
/** Makes a folder that has just what a root file system with systemd and a C library has, with /bin a link into /usr. */

import { dirname, join } from "node:path";
import { smallElf } from "./small_elf.ts";

export const LOADER = "/lib64/ld-linux-x86-64.so.2";
/** What `smallProgram` needs, and a small root has. */
export const LIBRARIES = ["libgcc_s.so.1", "libc.so.6"], GLIBC = ["GLIBC_2.17", "GLIBC_2.34"];

/** A program that could run in a small root. */
export const smallProgram = (): Uint8Array<ArrayBuffer> =>
  smallElf({ interpreter: LOADER, libraries: LIBRARIES, glibcVersions: GLIBC });

/** Fills `root`; `machine` is that of its shell. */
export async function makeSmallRoot(root: string, o: { readonly machine?: number } = {}): Promise<void> {
  const files: Record<string, string | Uint8Array> = {
    "etc/os-release": "ID=small\n",
    "usr/bin/sh": smallElf(o),
    "usr/lib/systemd/systemd": "",
    "usr/lib64/ld-linux-x86-64.so.2": "",
    "usr/lib/x86_64-linux-gnu/libc.so.6": smallElf({ glibcVersions: [...GLIBC, "GLIBC_2.36"] }),
    "usr/lib/x86_64-linux-gnu/libgcc_s.so.1": smallElf({}),
  };
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(root, path)), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(join(root, path), content);
    else await Deno.writeFile(join(root, path), content);
  }
  // One link goes up to the root, one is absolute; both mean the tree.
  await Deno.symlink("usr/bin", join(root, "bin"));
  await Deno.symlink("/usr/lib64", join(root, "lib64"));
}
