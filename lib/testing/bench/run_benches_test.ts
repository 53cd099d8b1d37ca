// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

/** Runs the program as `deno task bench` does, with this PATH. */
async function bench(args: readonly string[], path = Deno.env.get("PATH") ?? "") {
  const script = fileURLToPath(new URL("run_benches.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, ...args],
    env: { PATH: path, NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out!, stderr: err! };
}

Deno.test("run_benches.ts lists the benches for one that is not there, and prints no table", async () => {
  const { code, stdout, stderr } = await bench(["nosuch"]);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^There is no bench "nosuch"$/m);
  for (const name of ["agent", "rego", "sandbox", "startup"]) assert.match(stderr, new RegExp(`^  ${name} +\\S`, "m"));
});

Deno.test("run_benches.ts refuses values that make no sense", async () => {
  for (const args of [["--rounds", "0"], ["--rounds", "1.5"], ["--seconds", "x"], ["--output", "yaml"], ["--fast"]]) {
    const { code, stderr } = await bench(args);
    assert.equal(code, 2, `${args}`);
    assert.match(stderr, new RegExp(args[0]!), `${args}`);
  }
});

Deno.test("run_benches.ts names what is missing, fails that bench alone, and still prints the others", async () => {
  const { code, stdout, stderr } = await bench(["agent", "frames", "--quick"], "/nonexistent");
  assert.equal(code, 1);
  assert.match(stderr, /^bench agent: Cannot run the peer program "go": it is not on PATH$/m);
  assert.match(stderr, /^bench agent: hint: install Go/m);
  assert.match(stdout, /^frames of 64 B +frames\/s +\d/m);
});

Deno.test("run_benches.ts prints machine, versions and commit beside the rows as JSON", async () => {
  const { code, stdout } = await bench(["frames", "--quick", "--rounds", "2", "--output", "json"]);
  assert.equal(code, 0);
  const { machine, benches } = JSON.parse(stdout);
  assert.equal(machine.versions.deno, Deno.version.deno);
  assert.ok(machine.cores > 0 && machine.memoryMiB > 0 && /\d/.test(machine.kernel));
  assert.match(machine.commit, /^([0-9a-f]{40}|unknown)$/);
  assert.equal(benches[0].name, "frames");
  assert.equal(benches[0].rows[0].subjects.peerctl.values.length, 2);
});
