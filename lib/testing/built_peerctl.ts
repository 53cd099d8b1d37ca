// SPDX-License-Identifier: Apache-2.0
/** Builds peerctl as one file, as `deno task compile --format sh` does, for tests that run it. */

import { join } from "node:path";
import { compile } from "../build/compile.ts";
import { parseTarget } from "../build/runtime.ts";
import { withTempDir } from "./temp_dir.ts";

/**
 * Builds and runs `body` with what a child's environment needs so that lib/testing/peerctl.ts runs what was built: the
 * file, and a folder to unpack into that goes away afterwards. An earlier build in our own environment is taken again.
 */
export async function withBuiltPeerctl(body: (env: Readonly<Record<string, string>>) => Promise<void>): Promise<void> {
  const { PEERCTL_UNDER_TEST = "", XDG_CACHE_HOME = "" } = Deno.env.toObject();
  if (PEERCTL_UNDER_TEST !== "") return await body({ PEERCTL_UNDER_TEST, XDG_CACHE_HOME });
  await withTempDir(async (dir) => {
    const out = join(dir, "peerctl");
    await compile({ target: parseTarget(Deno.build.target), format: "sh", out, say: () => {} });
    // XDG_CACHE_HOME would also move the cache of the Deno that runs the tests.
    await body({ PEERCTL_UNDER_TEST: out, XDG_CACHE_HOME: dir, DENO_DIR: await denoDir() });
  });
}

/** The cache folder of this Deno. */
export async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
