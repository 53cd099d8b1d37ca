// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readUpgrade } from "./upgrade_headers.ts";

Deno.test("readUpgrade() knows the two protocols of kubelets", () => {
  assert.equal(readUpgrade(undefined, undefined), "none");
  assert.equal(readUpgrade("keep-alive", undefined), "none");
  assert.equal(readUpgrade("Upgrade", "websocket"), "websocket");
  assert.equal(readUpgrade("keep-alive, Upgrade", "WebSocket"), "websocket");
  assert.equal(readUpgrade("upgrade", "SPDY/3.1"), "spdy");
});

Deno.test("readUpgrade() refuses everything else", () => {
  const doubtful: [string | undefined, string | undefined][] = [
    ["Upgrade", undefined],
    [undefined, "websocket"],
    ["keep-alive", "websocket"],
    ["Upgrade", "h2c"],
    ["Upgrade", "websocket, h2c"],
    ["Upgrade", "SPDY/3"],
    ["Upgrade", "tcp"],
    ["Upgrade", ""],
  ];
  for (const [connection, upgrade] of doubtful) {
    assert.throws(() => readUpgrade(connection, upgrade), { name: "Refusal", status: 400 }, String(upgrade));
  }
});
