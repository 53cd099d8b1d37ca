// SPDX-License-Identifier: Apache-2.0
/** peerctl as another build of itself: the same sources under another version, as after an upgrade. */

import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url).pathname;

/**
 * Lays a peerctl of version `version` out in `dir`, which must exist, and returns its main file.
 *
 * The build's name is made of the version in deno.json and the commit, which is not known outside of the checkout. What
 * this peerctl starts, such as its relays, is of the same build.
 */
export async function layOutBuild(dir: string, version: string): Promise<string> {
  for (const name of ["lib", "cmd", "deno.lock"]) await Deno.symlink(`${ROOT}${name}`, join(dir, name));
  await Deno.writeTextFile(join(dir, "deno.json"), JSON.stringify({ ...manifest, version }));
  const main = join(dir, "main.ts");
  await Deno.copyFile(`${ROOT}main.ts`, main);
  return main;
}

/** How a build that `layOutBuild` made calls itself. */
export function otherBuildName(version: string): string {
  return `${version}+unknown`;
}
