// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import type * as net from "node:net";
import { dialTcp, listenTcp, parseHostPort } from "./tcp.ts";

Deno.test("parseHostPort() reads names, addresses, bracketed IPv6 and a bare port", () => {
  assert.deepEqual(parseHostPort("0.0.0.0:15150", "flag -listen"), { host: "0.0.0.0", port: 15150 });
  assert.deepEqual(parseHostPort("pod.example:1", "x"), { host: "pod.example", port: 1 });
  assert.deepEqual(parseHostPort("[::1]:0", "x"), { host: "::1", port: 0 });
  assert.deepEqual(parseHostPort("[fe80::1%eth0]:80", "x"), { host: "fe80::1%eth0", port: 80 });
  assert.deepEqual(parseHostPort(":8080", "x"), { host: "::", port: 8080 });
});

Deno.test("parseHostPort() refuses everything else and names the value", () => {
  for (
    const text of ["", "host", "host:", "host:x", "host:65536", "::1:80", "[::1]80", "[host]:80", "a b:1", "h/x:1"]
  ) {
    assert.throws(() => parseHostPort(text, "flag -listen"), {
      kind: "config",
      message: new RegExp(`^Cannot use flag -listen "${text.replace(/[[\]/]/g, "\\$&")}": `),
    });
  }
});

Deno.test("dialTcp() and listenTcp() carry bytes both ways, and close() leaves connections alone", async () => {
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: (socket) => socket.pipe(socket) });
  assert.notEqual(listener.address.port, 0);
  const socket = await dialTcp(listener.address);
  await listener.close();
  socket.end("hello");
  assert.equal(String((await once(socket, "data"))[0]), "hello");
  await once(socket, "close");
  await assert.rejects(dialTcp(listener.address), { kind: "peer", message: /127\.0\.0\.1:\d+: nobody listens there/ });
});

Deno.test("listenTcp() says when the port is taken", async () => {
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: (socket) => socket.destroy() });
  const again = { ...listener.address, onConnection: (socket: net.Socket) => socket.destroy() };
  await assert.rejects(listenTcp(again), { kind: "config", message: /another process listens there/ });
  await listener.close();
});

Deno.test("dialTcp() ends when its signal has aborted", async () => {
  await assert.rejects(dialTcp({ host: "127.0.0.1", port: 9, signal: AbortSignal.abort() }), { kind: "closed" });
});
