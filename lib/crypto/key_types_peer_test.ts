// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { makeRows, type MatrixCell, matrixPage, tryRow } from "../testing/key_type_matrix.ts";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { buildGoEnd, goEnd, opensslEnd, ownEnd } from "../testing/tls_ends.ts";
import { keepPage } from "../testing/written_page.ts";

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
      const page = matrixPage(rows.map(({ name }) => name), ["openssl", "Go", "peerctl"], cells);
      console.log(`\n${page}`);
      assert.deepEqual(cells.filter(({ failure }) => failure !== undefined), []);
      // Nine pairs over two versions, but for peerctl with itself over TLS 1.2.
      assert.equal(cells.length, rows.length * 17);
      await keepPage(PAGE, page);
    }),
});
