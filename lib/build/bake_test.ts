// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { startScript } from "../testing/peerctl.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { ROOT } from "./bundle.ts";

async function bake(...args: string[]): Promise<{ code: number; text: string }> {
  await using task = startScript(`${ROOT}lib/build/bake.ts`, args);
  return { code: await task.closed, text: task.lines.join("\n") };
}

Deno.test("bake helps, and refuses a command line that is wrong with exit code 2 and the way out", async () => {
  const help = await bake("--help");
  assert.deepEqual([help.code, help.text.includes("Usage: deno task bake ROOTFS [--certs DIR]")], [0, true]);
  for (
    const [args, message] of [
      [[], /give one folder, not 0/],
      [["a", "b"], /give one folder, not 2/],
      [["a", "--cert", "b"], /'--cert'/],
      [["a", "--target", "arm"], /Cannot build for "arm"/],
      [["a", "--output", "xml"], /--output is text or json/],
    ] as const
  ) {
    const { code, text } = await bake(...args);
    assert.deepEqual([code, message.test(text)], [2, true], text);
  }
});

Deno.test("bake refuses the root of this machine and what is no root file system with exit code 1, as JSON when asked", () =>
  withTempDir(async (dir) => {
    for (const root of ["/", dir]) {
      const { code, text } = await bake(root, "--output", "json");
      assert.equal(code, 1);
      const { command, errors } = JSON.parse(text);
      assert.deepEqual([command, errors[0].kind], ["deno task bake", "config"]);
      assert.match(errors[0].message, /root of this machine|not a root file system|only root/);
    }
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));
