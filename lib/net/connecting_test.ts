// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import * as net from "node:net";
import { handOut, whenConnected } from "./connecting.ts";

Deno.test("whenConnected() gives up at its deadline and destroys the socket", async () => {
  const socket = new net.Socket();
  await assert.rejects(whenConnected(socket, "connect", { timeoutMs: 5 }, "Cannot connect to x"), {
    kind: "timeout",
    message: "Cannot connect to x: no connection within 5 ms",
  });
  assert.ok(socket.destroyed);
});

Deno.test("whenConnected() gives up when its signal aborts, also when it did before", async () => {
  const stop = new AbortController();
  const socket = new net.Socket();
  const connecting = whenConnected(
    socket,
    "connect",
    { signal: stop.signal, timeoutMs: 60_000 },
    "Cannot connect to x",
  );
  stop.abort();
  await assert.rejects(connecting, { kind: "closed", message: "Cannot connect to x: cancelled" });
  assert.ok(socket.destroyed);
  await assert.rejects(whenConnected(new net.Socket(), "connect", { signal: stop.signal }, "x"), { kind: "closed" });
});

Deno.test("whenConnected() reports a socket that closes without an error", async () => {
  const socket = new net.Socket();
  const connecting = whenConnected(socket, "connect", {}, "Cannot connect to x");
  socket.destroy();
  await assert.rejects(connecting, { kind: "peer", message: "Cannot connect to x: the connection was closed" });
});

Deno.test("handOut() keeps an error that nobody listens for from ending the process", async () => {
  const socket = handOut(new net.Socket());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.destroy(new Error("lost"));
  await closed;
  assert.equal(socket.errored?.message, "lost");
});
