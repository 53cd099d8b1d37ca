// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { chooseLoopbackAddress, isListening } from "./loopback_address.ts";

/** A port that is free on 127.0.0.1, and so most likely on its neighbours. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("chooseLoopbackAddress() gives the same address again, outside 127.0.0.0/24", () => {
  const port = freePort();
  const choose = (seed: string) => chooseLoopbackAddress({ seed, port, taken: new Set() });
  assert.equal(choose("vm-1"), choose("vm-1"));
  assert.notEqual(choose("vm-1"), choose("vm-2"));
  for (let i = 0; i < 200; i++) assert.match(choose(`vm-${i}`), /^127\.(?!0\.0\.)\d+\.\d+\.(?!0$|255$)\d+$/);
});

Deno.test("isListening() tells a listener from none, and from one on another address", async () => {
  const listener = Deno.listen({ hostname: "127.9.8.7", port: 0 });
  const { port } = listener.addr;
  assert.equal(await isListening("127.9.8.7", port), true);
  assert.equal(await isListening("127.9.8.6", port), false);
  listener.close();
  assert.equal(await isListening("127.9.8.7", port), false);
});

Deno.test("chooseLoopbackAddress() passes over an address that is given away or listened on", () => {
  const port = freePort();
  const first = chooseLoopbackAddress({ seed: "vm-1", port, taken: new Set() });
  const second = chooseLoopbackAddress({ seed: "vm-1", port, taken: new Set([first]) });
  assert.notEqual(second, first);
  using _ = Deno.listen({ hostname: first, port });
  assert.equal(chooseLoopbackAddress({ seed: "vm-1", port, taken: new Set() }), second);
});
