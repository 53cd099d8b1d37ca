// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { bundleProgram, loadLazily, MAIN_FILE, ROOT } from "./bundle.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Bundles a copy of the sources that lies in `dir`. */
async function bundleCopy(dir: string): Promise<string> {
  await Deno.mkdir(dir, { recursive: true });
  const sources = ["main.ts", "deno.json", "deno.lock", "cmd", "lib"].map((name) => `${ROOT}${name}`);
  assert.ok((await new Deno.Command("cp", { args: ["-r", ...sources, dir] }).output()).success);
  const script = `import { bundleProgram, loadLazily } from "./lib/build/bundle.ts";
    console.log(JSON.stringify([...loadLazily(await bundleProgram({ commit: "${COMMIT}" }))]));`;
  await Deno.writeTextFile(join(dir, "bundle_copy.ts"), script);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--frozen", join(dir, "bundle_copy.ts")],
    cwd: dir,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("bundleProgram() gives the same text wherever the sources lie, and names the commit but no folder of this machine", () =>
  withTempDir(async (dir) => {
    const [one, other] = [join(dir, "one"), join(dir, "another/clone")];
    const text = await bundleCopy(one);
    // Not assert.equal: it would show both texts.
    assert.ok(await bundleCopy(other) === text);
    assert.ok(text.includes(COMMIT));
    for (const path of [dir, ROOT, new URL(`file://${Deno.env.get("HOME")}/`).pathname]) {
      assert.ok(!text.includes(path), path);
    }
    const files = new Map<string, string>(JSON.parse(text));
    assert.ok(files.get(MAIN_FILE)!.length < 20_000, "the start loads no command");
    // What they name is not looked for before it is needed, and node:module not at all.
    assert.doesNotMatch(text, /import\("\.\/|node:module/);
    // A worker's file would have to be bundled apart.
    assert.doesNotMatch([...files.values()].join("\n"), /\bnew Worker\(/);
  }));

Deno.test("loadLazily() changes imports of the bundle's own files only", () => {
  const text = 'import{a}from"./b.js";const c=()=>import("./b.js"),d=()=>import("./other.js"),e=()=>import("node:fs");';
  const lazy = loadLazily(new Map([["main.js", text], ["b.js", "export const a=1;"]]));
  assert.equal(lazy.get("main.js"), text.replace('import("./b.js")', 'import(String("./b.js"))'));
  assert.equal(lazy.get("b.js"), "export const a=1;");
});

Deno.test("bundleProgram() keeps a using whose name is read once, and the names of classes", () =>
  withTempDir(async (dir) => {
    const entry = join(dir, "main.ts");
    await Deno.writeTextFile(
      entry,
      `class Lock {
        async isFree() { return true; }
        [Symbol.dispose]() { console.log("released"); }
      }
      async function look() {
        using lock = await Promise.resolve(new Lock());
        return !(await lock.isFree());
      }
      console.log(await look(), new Lock().constructor.name);`,
    );
    const bundle = await bundleProgram({ commit: COMMIT, entry });
    const bundled = join(dir, "bundled.js");
    await Deno.writeTextFile(bundled, bundle.get(MAIN_FILE)!);
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "--no-config", bundled] }).output();
    assert.equal(new TextDecoder().decode(stdout), "released\nfalse Lock\n");
  }));

/** Declarations by `using` and `await using`, in a bundle and in what it was made from. */
const USING = /\b(?:await )?using \w+ ?=/g;

Deno.test("bundleProgram() keeps every using of the program", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `--config=${ROOT}deno.json`, `${ROOT}main.ts`],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: readonly { specifier: string }[] };
  const sources = modules.map(({ specifier }) => specifier).filter((each) => each.startsWith(`file://${ROOT}`));
  const count = (texts: Iterable<string>) => [...texts].flatMap((text) => text.match(USING) ?? []).length;
  const inSources = count(sources.map((each) => Deno.readTextFileSync(new URL(each))));
  assert.ok(inSources > 10, `the sources were read: ${inSources}`);
  assert.equal(count((await bundleProgram({ commit: COMMIT })).values()), inSources);
});
