// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { fileMappings, releaseStartupPages } from "./startup_pages.ts";

/** Of a process: what is mapped, and how much of it was changed. */
function smaps(...mappings: readonly (readonly [line: string, changedKiB: number])[]): string {
  return mappings.map(([line, changed]) => `${line}\nRss:     8 kB\nAnonymous:     ${changed} kB\nVmFlags: rd mr\n`)
    .join("");
}

Deno.test("fileMappings() finds what is of a file, cannot be written, and was not changed", () => {
  const text = smaps(
    ["55d000000000-55d000004000 r--p 00000000 fe:00 860275                     /usr/bin/program", 0],
    ["55d000004000-55d000008000 r-xp 00004000 fe:00 860275                     /usr/bin/program", 0],
    ["55d000008000-55d000009000 r--p 00008000 fe:00 860275                     /usr/bin/program", 4],
    ["55d000009000-55d00000a000 rw-p 00009000 fe:00 860275                     /usr/bin/program", 0],
    ["55d00000a000-55d00000b000 rw-p 00000000 00:00 0                          [heap]", 0],
    ["7f0000000000-7f0000001000 r--s 00000000 fe:00 12                         /usr/share/shared", 0],
    ["7f0000001000-7f0000002000 r-xp 00000000 00:00 0                          [vdso]", 0],
    ["7f0000002000-7f0000003000 r--p 00000000 00:00 0 ", 0],
  );
  assert.deepEqual(fileMappings(text), [
    { address: 0x55d000000000n, bytes: 0x4000n },
    { address: 0x55d000004000n, bytes: 0x4000n },
  ]);
});

Deno.test("releaseStartupPages() makes this process smaller, and it goes on", () => {
  const fileKiB = () => Number(/^RssFile:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
  const before = fileKiB();
  assert.ok(releaseStartupPages() > 0);
  assert.ok(fileKiB() < before, `${before} KiB before, ${fileKiB()} after`);
});
