// SPDX-License-Identifier: Apache-2.0
/** Shortens the files of a bundle in place: `shorten.ts <folder>`. */

import { join } from "node:path";
import * as esbuild from "esbuild";

/** How a bundler names a CommonJS module: by its path, which is of this machine. Only stack traces show it. */
const COMMONJS_NAME = /^( *)"[^"\n]*\/npm\/[^/"\n]+\/([^"\n]+)"(?=\((?:exports|\)))/gm;

/**
 * Takes comments, blanks and paths out of a file without touching what it does.
 *
 * The bundler's own `--minify` is not used: it takes a `using` whose name is read once for any other variable and drops
 * it, and then files and locks stay open. Nor are names shortened, which would save a quarter of the text: a program can
 * see the names of its classes and functions, and so can who reads where an error comes from.
 */
async function withoutPaths(text: string): Promise<string> {
  const { code } = await esbuild.transform(text.replace(COMMONJS_NAME, '$1"npm:$2"'), {
    format: "esm",
    target: "esnext",
    legalComments: "none",
    minifyWhitespace: true,
  });
  return code;
}

if (import.meta.main) {
  const [dir = ""] = Deno.args;
  for (const { name } of Deno.readDirSync(dir)) {
    const path = join(dir, name);
    await Deno.writeTextFile(path, await withoutPaths(await Deno.readTextFile(path)));
  }
  await esbuild.stop();
}
