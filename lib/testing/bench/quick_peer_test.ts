// SPDX-License-Identifier: Apache-2.0
/** Every bench of the agent path runs to its end and fills its table; nothing is measured that way. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { requirePeer } from "../peers.ts";

/** A line that each table must have. */
const LINES = {
  agent: /^64 B, 16 in flight +calls\/s +\S.* >= 3\.5 /m,
  sandbox: /^10 idle sandboxes +memory each, KiB +\S/m,
  startup: /^apf to ready +ms +\S/m,
  soak: /^apf +memory at the end, MiB +\S.* <= 57\.2 /m,
  "slow-reader": /^requests are not read: kept in the pod VM +MiB +\S.* <= 1 /m,
};

const ignore = (["go", "openssl", "ss"] as const).some((tool) => requirePeer(tool).ignore);

for (const [name, line] of Object.entries(LINES)) {
  Deno.test({
    name: `deno task bench ${name} --quick runs to its end`,
    ignore,
    async fn() {
      const script = fileURLToPath(new URL("run_benches.ts", import.meta.url));
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", script, name, "--quick"],
        env: { NO_COLOR: "1" },
      }).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assert.equal(code, 0, err);
      assert.match(out!, line);
    },
  });
}
