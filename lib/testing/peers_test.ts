// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { goPeer, requirePeer } from "./peers.ts";

const MODULE = new URL("./peers.ts", import.meta.url).href;

/** Runs `code` in a Deno that finds nothing on PATH. */
async function withoutTools(code: string, ci: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `import * as peers from "${MODULE}"; ${code}`],
    env: { PATH: "/nonexistent", CI: ci, NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("requirePeer() skips by hand without the tool, and says once what to install", async () => {
  const ask = `peers.requirePeer("go"); console.log(peers.requirePeer("go").ignore)`;
  const output = await withoutTools(ask, "");
  assert.match(output, /^Tests with go are skipped: install Go .*\ntrue\n$/);
});

Deno.test("requirePeer() does not skip in CI, and peerPath() then says what is missing", async () => {
  assert.equal(await withoutTools(`console.log(peers.requirePeer("ssh").ignore)`, "true"), "false\n");
  assert.match(
    await withoutTools(`peers.peerPath("ssh")`, "true"),
    /Cannot run the peer program "ssh": it is not on PATH/,
  );
});

Deno.test({
  name: "goPeer() gives everyone the same binary, and refuses a name that has no sources",
  ...requirePeer("go"),
  async fn() {
    const [first, second] = await Promise.all([goPeer("shim"), goPeer("shim")]);
    assert.equal(first, second);
    assert.ok((await Deno.stat(first)).isFile);
    await assert.rejects(goPeer("nope"), { kind: "config", message: /no such folder/ });
  },
});
