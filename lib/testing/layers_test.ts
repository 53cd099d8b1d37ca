// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { withTempDir } from "./temp_dir.ts";

/** The rooms of lib/ from the top of the house to its ground; imports go down this list, never up (README.md, "Layout"). */
const ROOMS = [
  "demo",
  "sandbox",
  "agent",
  "kubelet",
  "pki",
  "provider",
  "podnet",
  "guest",
  "kbs",
  "tunnel",
  "rego",
  "ttrpc",
  "proto",
  "crypto",
  "net",
  "os",
];

const ROOT = new URL("../../", import.meta.url);

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier?: string };
    readonly type?: { readonly specifier?: string };
  }[];
}

Deno.test("layers: no import goes up the house", async () => {
  const edges = await localImports();
  assert.ok(edges.length > 100, `the module graph was read: ${edges.length} imports`);
  assert.deepEqual(edges.map(([from, to]) => forbidden(from, to)).filter((problem) => problem !== undefined), []);
});

Deno.test("layers: forbidden() knows a step up, a command inside a command, and a test in the product", () => {
  assert.equal(forbidden("lib/sandbox/a.ts", "lib/net/b.ts"), undefined);
  assert.equal(forbidden("lib/net/a.ts", "lib/errors.ts"), undefined);
  assert.equal(forbidden("lib/net/a_test.ts", "lib/testing/b.ts"), undefined);
  assert.equal(forbidden("cmd/caa.ts", "cmd/caa_flags.ts"), undefined);
  assert.match(forbidden("lib/net/a.ts", "lib/ttrpc/b.ts")!, /goes up/);
  assert.match(forbidden("lib/errors.ts", "lib/net/b.ts")!, /goes up/);
  assert.match(forbidden("lib/net/a.ts", "lib/cli/flags.ts")!, /only main\.ts and cmd/);
  assert.match(forbidden("lib/cli/a.ts", "lib/net/b.ts")!, /nothing of the rooms/);
  assert.match(forbidden("lib/net/a.ts", "cmd/caa.ts")!, /only main\.ts/);
  assert.match(forbidden("cmd/caa.ts", "cmd/relay.ts")!, /only main\.ts/);
  assert.match(forbidden("lib/net/a.ts", "lib/testing/b.ts")!, /only tests/);
  assert.match(forbidden("lib/net/a.ts", "lib/net/b_test.ts")!, /only tests/);
  assert.equal(forbidden("lib/build/a.ts", "lib/cli/b.ts"), undefined);
  assert.match(forbidden("cmd/caa.ts", "lib/build/a.ts")!, /only build tools/);
  assert.match(forbidden("lib/attic/a.ts", "lib/net/b.ts")!, /not in the plan/);
});

Deno.test("layers: every folder of lib/ is a room of the house", async () => {
  const known = [...ROOMS, "cli", "daemon", "build", "testing"];
  for await (const entry of Deno.readDir(new URL("lib/", ROOT))) {
    if (entry.isDirectory) assert.ok(known.includes(entry.name), `lib/${entry.name} is not in the plan of the house`);
  }
});

/** Says why `from` must not import `to` (paths from the root), or returns undefined when it may. */
function forbidden(from: string, to: string): string | undefined {
  const isTest = /(_test|_bench)\.ts$/.test(from) || from.startsWith("lib/testing/");
  if (isTest) return undefined;
  const edge = `${from} imports ${to}:`;
  if (/(_test|_bench)\.ts$/.test(to) || to.startsWith("lib/testing/")) return `${edge} only tests may`;
  // Tools of a developer: they may use what they need, and nothing of the product needs them.
  if (from.startsWith("lib/build/")) return undefined;
  if (to.startsWith("lib/build/")) return `${edge} only build tools may`;
  if (to === "deno.json" || from === "main.ts") return undefined;
  // A command may have files of its own beside it, as caa.ts has caa_flags.ts.
  if (to.startsWith("cmd/") && commandOf(from) !== commandOf(to)) return `${edge} only main.ts may`;
  if (from.startsWith("cmd/") || to === "lib/errors.ts") return undefined;
  const [fromRoom, toRoom] = [from, to].map((path) => path.split("/")[1]!);
  const beside = ["cli", "daemon"];
  if (beside.includes(fromRoom!)) {
    return beside.includes(toRoom!) ? undefined : `${edge} ${fromRoom} knows nothing of the rooms`;
  }
  if (beside.includes(toRoom!)) return `${edge} only main.ts and cmd/ may`;
  if (from === "lib/errors.ts") return `${edge} goes up`;
  const [fromFloor, toFloor] = [ROOMS.indexOf(fromRoom!), ROOMS.indexOf(toRoom!)];
  if (fromFloor < 0 || toFloor < 0) return `${edge} a room is not in the plan of the house`;
  return fromFloor <= toFloor ? undefined : `${edge} goes up`;
}

/** The command a file of cmd/ belongs to: "caa" for caa.ts and caa_flags.ts; "" for a file that is elsewhere. */
function commandOf(path: string): string {
  return /^cmd\/([^_.]+)/.exec(path)?.[1] ?? "";
}

/** Every import between two files of ours, static, dynamic or of a type only, as pairs of paths from the root. */
async function localImports(): Promise<[string, string][]> {
  const files = ["main.ts", ...await sourceFiles("cmd"), ...await sourceFiles("lib")];
  const graph = await withTempDir(async (dir) => {
    // One entry that imports everything: deno info takes one file at a time.
    const entry = `${dir}/all.ts`;
    await Deno.writeTextFile(
      entry,
      files.map((file) => `import ${JSON.stringify(new URL(file, ROOT).href)};\n`).join(""),
    );
    const args = ["info", "--json", "--config", new URL("deno.json", ROOT).pathname, entry];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout)) as { readonly modules: readonly Module[] };
  });
  return graph.modules.filter((module) => module.specifier.startsWith(ROOT.href)).flatMap((module) =>
    (module.dependencies ?? [])
      .flatMap(({ code, type }) => [code?.specifier, type?.specifier])
      .filter((target) => target?.startsWith(ROOT.href))
      .map((target): [string, string] => [module.specifier.slice(ROOT.href.length), target!.slice(ROOT.href.length)])
  );
}

async function sourceFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await sourceFiles(path));
    else if (path.endsWith(".ts")) found.push(path);
  }
  return found;
}
