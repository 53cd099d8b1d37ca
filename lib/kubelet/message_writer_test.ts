// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { Writable } from "node:stream";
import * as tls from "node:tls";
import { makeTestAuthority } from "../testing/certificates.ts";
import { createMessageWriter, headText } from "./message_writer.ts";

/** A socket that keeps its writes, each as a text of a byte per character. */
function recorder(): { socket: Socket; writes: string[] } {
  const writes: string[] = [];
  const socket = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      writes.push(new TextDecoder("latin1").decode(chunk));
      done();
    },
  });
  return { socket: socket as Socket, writes };
}

Deno.test("createMessageWriter() writes once what was added, in its order and byte by byte", () => {
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = new TextDecoder("latin1").decode(every);
  const large = new Uint8Array(100_000).fill(65);
  const { socket, writes } = recorder();
  const writer = createMessageWriter(socket);
  assert.ok(writer.flush());
  writer.addText("head\r\n");
  writer.addBytes(every);
  writer.flush();
  writer.addText("1");
  writer.addBytes(large);
  writer.addText("2");
  writer.addBytes(every);
  writer.addText("3");
  writer.flush();
  writer.addBytes(large);
  writer.flush();
  const block = "A".repeat(100_000);
  assert.deepEqual(writes, [`head\r\n${text}`, `1${block}2${text}3`, block]);
});

Deno.test("createMessageWriter() keeps every byte over TLS, also of small parts that wait behind large ones", async () => {
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  const large = new Uint8Array(1 << 20).fill(0xc3);
  const { cert, key } = await (await makeTestAuthority()).leaf({ name: "localhost" });
  const sent: Uint8Array[] = [];
  const server = tls.createServer({ cert, key }, (socket) => {
    const writer = createMessageWriter(socket);
    for (const parts of [[large], [every], [every, every], [large, every], [every]]) {
      for (const part of parts) writer.addBytes(part);
      sent.push(...parts);
      writer.flush();
    }
    socket.end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  const got: Uint8Array[] = [];
  client.on("data", (chunk: Uint8Array) => got.push(chunk));
  await once(client, "close");
  const closed = once(server, "close");
  server.close();
  await closed;
  assert.ok(Buffer.concat(got).equals(Buffer.concat(sent)));
});

Deno.test("createMessageWriter() asks to wait when much is on its way, until it is sent", () => {
  const waiting: (() => void)[] = [];
  const socket = new Writable({ write: (_chunk, _encoding, done) => void waiting.push(done) }) as Socket;
  const writer = createMessageWriter(socket);
  let sent = 0;
  do {
    writer.addBytes(new Uint8Array(64 << 10));
    sent += 64 << 10;
  } while (writer.flush());
  assert.ok(sent > 256 << 10 && sent < 2 << 20, String(sent));
  assert.equal(writer.flush(), false);
});

Deno.test("headText() writes no header that would be another, or two", () => {
  assert.equal(headText("GET / HTTP/1.1", ["A", "b\t\xe9"]), "GET / HTTP/1.1\r\nA: b\t\xe9\r\n\r\n");
  const bad = [["A", "b\r\nC: d"], ["A", "b\nC"], ["A", "b\0"], ["A", "\u010aB: c"], ["A B", "c"], ["A:", "b"], [
    "",
    "b",
  ]];
  for (const header of bad) assert.throws(() => headText("GET / HTTP/1.1", header), TypeError, JSON.stringify(header));
});
