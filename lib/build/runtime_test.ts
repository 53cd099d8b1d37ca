// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { DENO_VERSION, readRuntime, requireElf, type Target, TARGETS } from "./runtime.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const OTHER: Target = TARGETS.find((target) => target !== Deno.build.target)!;
const PACKAGE = OTHER.startsWith("aarch64") ? "@deno/linux-arm64-glibc" : "@deno/linux-x64-glibc";

/** The head of a 64-bit little-endian program for aarch64 (183) or x86_64 (62), and a text in it. */
function elf(target: Target, text: string): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(64);
  head.set([0x7f, ...encode("ELF"), 2, 1]);
  head[18] = target.startsWith("aarch64") ? 183 : 62;
  return new Uint8Array([...head, ...encode(text)]);
}

/** A registry with one package, whose `deno` is `program`. */
async function withRegistry(
  dir: string,
  o: { version: string; program: Uint8Array; integrity?: string },
  body: (url: string) => Promise<void>,
): Promise<void> {
  await Deno.mkdir(join(dir, "package"));
  await Deno.writeFile(join(dir, "package/deno"), o.program, { mode: 0o755 });
  await Deno.writeTextFile(join(dir, "package/package.json"), JSON.stringify({ name: PACKAGE, version: o.version }));
  const { stdout: tarball } = await new Deno.Command("tar", { args: ["-czf", "-", "-C", dir, "package"] }).output();
  const integrity = o.integrity ?? `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.url.endsWith(".tgz")) return new Response(tarball);
    const dist = { tarball: `${new URL(request.url).origin}/it.tgz`, integrity };
    const versions = { [o.version]: { name: PACKAGE, version: o.version, dist } };
    return Response.json({ name: PACKAGE, versions, "dist-tags": { latest: o.version } });
  });
  await body(`http://127.0.0.1:${server.addr.port}/`);
}

/** Calls readRuntime() in a process whose registry is `url`, and returns what it said: the SHA-256, or the whole error. */
async function readFrom(url: string, dir: string): Promise<string> {
  const script = `import { readRuntime } from ${JSON.stringify(new URL("runtime.ts", import.meta.url).href)};
    import { createHash } from "node:crypto";
    try {
      console.log(createHash("sha256").update(await readRuntime("${OTHER}")).digest("hex"));
    } catch (error) {
      for (let at = error; at instanceof Error; at = at.cause) console.log(at.message);
    }`;
  await Deno.writeTextFile(join(dir, "read.ts"), script);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", join(dir, "read.ts")],
    env: { NPM_CONFIG_REGISTRY: url, DENO_DIR: join(dir, "deno"), NO_COLOR: "1", HOME: dir },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

const good = elf(OTHER, `Deno/${DENO_VERSION}`);

Deno.test("readRuntime() takes the Deno of another architecture from npm", () =>
  withTempDir((dir) =>
    withRegistry(dir, { version: DENO_VERSION, program: good }, async (url) => {
      assert.equal(await readFrom(url, dir), `${createHash("sha256").update(good).digest("hex")}\n`);
    })
  ));

const refused: readonly [string, { version: string; program: Uint8Array; integrity?: string }, RegExp][] = [
  ["bytes that are not those of the registry", {
    version: DENO_VERSION,
    program: good,
    integrity: `sha512-${createHash("sha512").update("others").digest("base64")}`,
  }, /Cannot get Deno .* from npm\n[^]*checksum/],
  ["another version alone", { version: "2.9.5", program: good }, /Cannot get Deno .* from npm\n[^]*Could not find/],
  ["a program for this machine", {
    version: DENO_VERSION,
    program: elf(TARGETS.find((target) => target !== OTHER)!, `Deno/${DENO_VERSION}`),
  }, /it is no program for/],
  ["a program that is another Deno", { version: DENO_VERSION, program: elf(OTHER, "Deno/2.9.5") }, /it is not Deno/],
];

for (const [what, o, message] of refused) {
  Deno.test(`readRuntime() refuses a registry that has ${what}`, () =>
    withTempDir((dir) => withRegistry(dir, o, async (url) => assert.match(await readFrom(url, dir), message))));
}

Deno.test("readRuntime() takes the Deno that runs for this machine", async () => {
  assert.deepEqual(await readRuntime(Deno.build.target as Target), await Deno.readFile(Deno.execPath()));
});

Deno.test("requireElf() refuses what is too short or no ELF", () => {
  for (const bytes of [encode(""), encode("#!/bin/sh\nexit 0; this is long enough\n"), good.subarray(0, 19)]) {
    assert.throws(() => requireElf(bytes, OTHER, "it"), { kind: "state" });
  }
});
