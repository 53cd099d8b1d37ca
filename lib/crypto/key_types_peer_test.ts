// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { makeRows, type MatrixCell, matrixPage, tryRow } from "../testing/key_type_matrix.ts";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { buildGoEnd, goEnd, opensslEnd, ownEnd } from "../testing/tls_ends.ts";

const PAGE = new URL("./KEY_TYPES.md", import.meta.url);

Deno.test({
  name:
    "certificates of every key type work in mutual TLS between openssl, Go and peerctl, each as client and as server",
  ignore: requirePeer("go").ignore || requirePeer("openssl").ignore,
  fn: () =>
    withTempDir(async (dir) => {
      const [go, own] = [goEnd(await buildGoEnd(dir)), ownEnd()];
      const rows = await makeRows(dir);
      const cells: MatrixCell[] = [];
      for (const row of rows) {
        cells.push(...await tryRow(row, [opensslEnd(row.isPartial ? ["-partial_chain"] : []), go, own]));
      }
      const page = await formatted(matrixPage(rows.map(({ name }) => name), ["openssl", "Go", "peerctl"], cells));
      console.log(`\n${page}`);
      assert.deepEqual(cells.filter(({ failure }) => failure !== undefined), []);
      // Nine pairs over two versions, but for peerctl with itself over TLS 1.2.
      assert.equal(cells.length, rows.length * 17);
      await keepPage(page);
    }),
});

/** Writes the page when it has changed; in CI the committed one must be right. */
async function keepPage(page: string): Promise<void> {
  if (await Deno.readTextFile(PAGE).catch(() => "") === page) return;
  assert.notEqual(Deno.env.get("CI"), "true", "lib/crypto/KEY_TYPES.md is not what works: run the test and commit it");
  await Deno.writeTextFile(PAGE, page);
}

async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const [{ success, stdout, stderr }] = await Promise.all([
    child.output(),
    writer.write(new TextEncoder().encode(text)).then(() => writer.close()),
  ]);
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
