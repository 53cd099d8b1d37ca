// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { makeTestAuthority } from "../testing/certificates.ts";
import { recordLog } from "../testing/recorded_log.ts";
import { createTlsDialer, listenTls, parseTlsProfile } from "./tls.ts";
import { freeCiphertext } from "./tls_ciphertext.ts";

/** More than a socket gives at once, in bytes. */
const BYTES = 1 << 20;

Deno.test("freeCiphertext() frees every large piece that was read, and what was decrypted is right", async () => {
  const authority = await makeTestAuthority();
  const profile = parseTlsProfile("", []);
  const accepted = Promise.withResolvers<TLSSocket>();
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    credentials: await authority.leaf(),
    profile,
    requireClientCert: false,
    log: recordLog().log,
    onConnection: accepted.resolve,
  });
  const credentials = { ca: authority.caPem };
  const dialer = createTlsDialer({ credentials, profile, serverName: "podvm-server", skipVerify: false });
  const client = await dialer.dial(listener.address);
  const server = await accepted.promise;

  const pieces: ArrayBuffer[] = [];
  const transport = (server as unknown as { _handle: { _parent: { onread(chunk: unknown): void } } })._handle._parent;
  const take = transport.onread;
  transport.onread = function (chunk) {
    if (chunk instanceof ArrayBuffer && chunk.byteLength > 4096) pieces.push(chunk);
    take.call(this, chunk);
  };
  freeCiphertext(server);

  const sent = Buffer.from(crypto.getRandomValues(new Uint8Array(1 << 16)));
  const received: Buffer[] = [];
  server.on("data", (chunk) => received.push(chunk));
  for (let i = 0; i < BYTES / sent.byteLength; i++) client.write(sent);
  client.end();
  await once(server, "end");
  const all = Buffer.concat(received);
  assert.equal(all.byteLength, BYTES);
  for (let at = 0; at < BYTES; at += sent.byteLength) assert.ok(all.subarray(at, at + sent.byteLength).equals(sent));
  assert.ok(pieces.length > 4, `${pieces.length} pieces`);
  assert.deepEqual(pieces.map(({ byteLength }) => byteLength), pieces.map(() => 0));

  server.destroy();
  if (!client.closed) await once(client, "close");
  await listener.close();
});
