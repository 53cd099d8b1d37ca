// SPDX-License-Identifier: Apache-2.0
/** Bundles peerctl into a few JavaScript files that need nothing but Deno: one for the start, one or more per command. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { runCommand } from "./run_command.ts";

/** The repository, with a slash at its end. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** The file that Deno is started with. */
export const MAIN_FILE = "main.js";

/** How long bundling may take, in milliseconds: it takes two seconds, and once the download of esbuild. */
const BUNDLE_MS = 5 * 60_000;

/** Names that a shell and a list of words take as they are. */
const PLAIN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*\.js$/;

/** A file of the program and its content. */
export type Bundle = ReadonlyMap<string, string>;

export interface BundleOptions {
  /** What `peerctl version` names as the commit. */
  readonly commit: string;
  /** The program to bundle; main.ts unless a measurement needs another. */
  readonly entry?: string;
}

/**
 * Bundles the program. Equal sources give equal bytes, wherever they lie: the paths that a bundler notes in comments and
 * names are left out, and files get names without the bundler's hash, which covers paths too.
 */
export async function bundleProgram(o: BundleOptions): Promise<Bundle> {
  const dir = await Deno.makeTempDir({ prefix: "peerctl-bundle-" });
  try {
    const config = await writeBuildConfig(dir, o.commit);
    const out = join(dir, "out");
    await runCommand(Deno.execPath(), [
      "bundle",
      "--quiet",
      "--frozen",
      `--lock=${ROOT}deno.lock`,
      `--config=${config}`,
      "--platform=deno",
      "--code-splitting",
      `--outdir=${out}`,
      o.entry ?? `${ROOT}main.ts`,
    ], { cwd: ROOT, env: { NO_COLOR: "1" }, timeoutMs: BUNDLE_MS });
    // A process of its own: esbuild's outlives the call that ends it.
    const shorten = [
      "run",
      "-A",
      "--quiet",
      "--frozen",
      `--config=${ROOT}deno.json`,
      `${ROOT}lib/build/shorten.ts`,
      out,
    ];
    await runCommand(Deno.execPath(), shorten, { cwd: ROOT, env: { NO_COLOR: "1" }, timeoutMs: BUNDLE_MS });
    const files = new Map<string, string>();
    for (const name of [...Deno.readDirSync(out)].map((entry) => entry.name).sort()) {
      if (!PLAIN_NAME.test(name)) throw new PeerctlError("state", `Cannot bundle peerctl: odd file name "${name}"`);
      files.set(name, await Deno.readTextFile(join(out, name)));
    }
    if (!files.has(MAIN_FILE)) throw new PeerctlError("state", `Cannot bundle peerctl: there is no ${MAIN_FILE}`);
    return renameFiles(files);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Names each file by what it is and its turn: in the order in which they are met from the main file on. */
function renameFiles(files: Bundle): Bundle {
  const names = new Map([[MAIN_FILE, MAIN_FILE]]);
  const taken = new Set<string>();
  for (const [old] of names) {
    for (const [, met] of files.get(old)!.matchAll(/"\.\/([^"]+\.js)"/g)) {
      if (!files.has(met!) || names.has(met!)) continue;
      const stem = met!.replace(/-[A-Z0-9]{8}\.js$/, "");
      let name = `${stem}.js`;
      for (let turn = 2; taken.has(name) || name === MAIN_FILE; turn++) name = `${stem}-${turn}.js`;
      taken.add(name);
      names.set(met!, name);
    }
  }
  const renamed = [...names].map(([old, name]): [string, string] => [
    name,
    files.get(old)!.replaceAll(
      /"\.\/([^"]+\.js)"/g,
      (text, met: string) => names.has(met) ? `"./${names.get(met)}"` : text,
    ),
  ]);
  return new Map(renamed.sort(([one], [other]) => one < other ? -1 : 1));
}

/** Writes the configuration of the repository with lib/cli/built_commit.ts replaced by one that knows its commit. */
async function writeBuildConfig(dir: string, commit: string): Promise<string> {
  const { imports, compilerOptions, nodeModulesDir } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const built = join(dir, "built_commit.ts");
  await Deno.writeTextFile(built, `export const BUILT_COMMIT: string | undefined = ${JSON.stringify(commit)};\n`);
  const replaced = { [new URL(`file://${ROOT}lib/cli/built_commit.ts`).href]: new URL(`file://${built}`).href };
  const path = join(dir, "deno.json");
  await Deno.writeTextFile(
    path,
    JSON.stringify({ imports: { ...imports, ...replaced }, compilerOptions, nodeModulesDir }),
  );
  return path;
}

/** What `deno bundle` puts before code that may call require(). */
const EAGER_REQUIRE = /import\{createRequire as (\w+)\}from"node:module";var (\w+)=\1\(import\.meta\.url\);/;

/**
 * Makes a bundle start faster on a plain Deno; `peerctl version` went from 75 ms to 27, an empty program takes 25.
 *
 * - Deno loads every file that it finds named in an `import()` before it runs the first; a name that is only known when
 *   the line runs is loaded then. (`deno compile` must find the names: it takes the bundle as it was.)
 * - `node:module` takes 45 ms to load, and is there for require() of Node's own modules alone.
 */
export function loadLazily(bundle: Bundle): Bundle {
  return new Map([...bundle].map(([name, text]) => [
    name,
    text
      .replace(EAGER_REQUIRE, (_line, _create, variable) => `var ${variable}=e=>process.getBuiltinModule(e);`)
      .replaceAll(
        /\bimport\("(\.\/[^"]+)"\)/g,
        (line, path: string) => bundle.has(path.slice(2)) ? `import(String("${path}"))` : line,
      ),
  ]));
}
