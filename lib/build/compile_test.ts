// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { ROOT } from "./bundle.ts";
import { readArguments } from "./compile.ts";
import { DENO_VERSION } from "./runtime.ts";

/** Runs `deno task compile` with a stub of our choice. */
async function compile(args: readonly string[], denort: string) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", ...args],
    cwd: ROOT,
    env: { DENORT_BIN: denort, NO_COLOR: "1" },
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("compile ships no file that is only deno, and takes away what an earlier build left", () =>
  withTempDir(async (dir) => {
    const out = join(dir, "peerctl");
    await Deno.writeTextFile(out, "an earlier build");
    const { code, stdout, stderr } = await compile(["--format", "compile", "--out", out], Deno.execPath());
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^compile: error: Cannot build \S+ \(compile, /);
    assert.match(stderr, /^compile: because: Cannot use what was built: version failed$/m);
    assert.match(stderr, /^compile: hint: is "\S+" of DENORT_BIN denort \S+ for \S+, and not deno itself\?$/m);
    // deno-lint-ignore no-control-regex -- colours are what is looked for.
    assert.doesNotMatch(stderr, /\u001b/);
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

Deno.test("compile says what is wrong with the stub that it was given", () =>
  withTempDir(async (dir) => {
    const out = join(dir, "peerctl");
    const silent = await compile(["--format", "compile", "--out", out], "/bin/true");
    assert.match(silent.stderr, /^compile: because: it says "" instead of "\d+\.\d+\.\d+ .*"$/m);
    const { code, stderr } = await compile(["--format", "compile", "--out", out], "/nonexistent/denort");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /runtime stub \(denort\) for \S+: DENORT_BIN names "\/nonexistent\/denort", which is no file$/m,
    );
    assert.match(stderr, /^compile: hint: .*--format sh$/m);
    assert.ok(!existsSync(out));
  }));

Deno.test("compile leaves a directory alone that is given for the file", () =>
  withTempDir(async (dir) => {
    const { code, stderr } = await compile(["--out", dir], "");
    assert.deepEqual([code, stderr], [2, `compile: error: Cannot build ${dir}: it is a directory\n`]);
    assert.ok(existsSync(dir));
  }));

Deno.test("readArguments() takes a target, a format and a file, and nothing else", () => {
  const target = "aarch64-unknown-linux-gnu";
  assert.deepEqual(readArguments(["--target", target, "--format=sh", "--out", "/x/p"]), {
    target,
    format: "sh",
    out: "/x/p",
  });
  assert.deepEqual(readArguments([]), { target: Deno.build.target, out: `${ROOT}dist/peerctl` });
  assert.equal(readArguments(["-h"]), "help");
  for (const bad of [["--target", "riscv64"], ["--format", "exe"], ["--outt", "x"], ["x"]]) {
    assert.throws(() => readArguments(bad), { kind: "usage" }, bad.join(" "));
  }
});

Deno.test("peerctl ships the Deno that runs its tests", () => assert.equal(Deno.version.deno, DENO_VERSION));
