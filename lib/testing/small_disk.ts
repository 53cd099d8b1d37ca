// SPDX-License-Identifier: Apache-2.0
/** A file system of a few hundred pages that a test can fill to the last byte. */

import { join } from "node:path";
import { withTempDir } from "./temp_dir.ts";

export interface SmallDisk {
  readonly dir: string;
  /** Takes all the room that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  makeRoom(): Promise<void>;
}

const FILLER = "filler";

/** How much is written at a time, in bytes: one page of a tmpfs. */
const PAGE_BYTES = 4096;

let reason: string | undefined;

/** Says whether tests that need a small disk are skipped: only root may mount one. As root under CI they are not. */
export function requireSmallDisk(): { ignore: boolean } {
  const isRoot = Deno.uid() === 0;
  if (isRoot && (Deno.env.get("CI") === "true" || canMount())) return { ignore: false };
  if (reason === undefined) {
    reason = isRoot ? "this machine lets even root mount nothing" : "run them as root, who may mount a tmpfs";
    console.log(`Tests with a full disk are skipped: ${reason}`);
  }
  return { ignore: true };
}

/** Mounts a tmpfs of `kib` KiB in a directory of its own for as long as `body` runs. */
export function withSmallDisk(kib: number, body: (disk: SmallDisk) => Promise<void>): Promise<void> {
  return withTempDir(async (parent) => {
    const dir = join(parent, "d");
    await Deno.mkdir(dir);
    mount(dir, kib);
    const filler = join(dir, FILLER);
    try {
      await body({
        dir,
        async fill() {
          using file = await Deno.open(filler, { append: true, create: true });
          const page = new Uint8Array(PAGE_BYTES);
          try {
            for (;;) file.writeSync(page);
          } catch (error) {
            if ((error as { code?: string }).code !== "ENOSPC") throw error;
          }
        },
        makeRoom: () => Deno.remove(filler),
      });
    } finally {
      run("umount", "-l", dir);
    }
  });
}

function canMount(): boolean {
  const dir = Deno.makeTempDirSync({ prefix: "peerctl-" });
  try {
    mount(dir, PAGE_BYTES / 1024);
    run("umount", dir);
    return true;
  } catch {
    return false;
  } finally {
    Deno.removeSync(dir);
  }
}

function mount(dir: string, kib: number): void {
  run("mount", "-t", "tmpfs", "-o", `size=${kib}k,mode=0700`, "tmpfs", dir);
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args, stdin: "null" }).outputSync();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr).trim()}`);
}
