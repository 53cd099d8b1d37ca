// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createSeededRandom } from "../testing/seeded_random.ts";
import { smallElf } from "../testing/small_elf.ts";
import { isElf, readElf } from "./elf.ts";

const HEADER_BYTES = 64;

Deno.test("readElf() reads a real program: the Deno that runs this", async () => {
  const facts = readElf(await Deno.readFile(Deno.execPath()), "deno");
  assert.equal(facts.machine, Deno.build.arch === "x86_64" ? 62 : 183);
  assert.match(facts.interpreter!, /^\/lib.*\/ld-linux-.*\.so\.\d$/);
  assert.ok(facts.libraries.includes("libc.so.6"));
  assert.ok(facts.glibcVersions.every((version) => /^GLIBC_2\./.test(version)) && facts.glibcVersions.length > 0);
});

Deno.test("readElf() reads machine, interpreter, libraries and versions", () => {
  const facts = {
    machine: 183,
    interpreter: "/lib/ld.so",
    libraries: ["a.so.1", "b.so"],
    glibcVersions: ["GLIBC_2.1"],
  };
  assert.deepEqual(readElf(smallElf(facts), "x"), facts);
});

Deno.test("readElf() refuses what is no 64-bit ELF file, and what points out of itself", () => {
  const good = smallElf({ interpreter: "/lib/ld.so", libraries: ["a.so"] });
  assert.throws(
    () => readElf(new TextEncoder().encode("#!/bin/sh\n"), "a script"),
    /Cannot read a script: it is no program/,
  );
  assert.throws(() => readElf(good.with(4, 1), "x"), /64-bit/);
  assert.equal(isElf(good.subarray(0, 63)), false);
  assert.throws(() => readElf(good.subarray(0, 200), "x"), { kind: "state", message: /headers point out of the file/ });
});

Deno.test("readElf() of damaged files gives facts or one clear error", () => {
  const random = createSeededRandom(1);
  const good = smallElf({ interpreter: "/lib/ld.so", libraries: ["a.so"], glibcVersions: ["GLIBC_2.1"] });
  for (let i = 0; i < 5_000; i++) {
    const bad = good.slice(0, HEADER_BYTES + random.below(good.byteLength - HEADER_BYTES + 1));
    for (let n = 0; n < 3; n++) bad[4 + random.below(bad.byteLength - 4)] = random.below(256);
    try {
      readElf(bad, "x");
    } catch (error) {
      assert.match((error as Error).message, /^Cannot read x: /);
    }
  }
});
