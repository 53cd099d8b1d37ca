// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { getLogger } from "@logtape/logtape";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import { pauseReading, resumeReading } from "./read_pause.ts";
import { dialTcp, listenTcp } from "./tcp.ts";
import { createTlsDialer, listenTls } from "./tls.ts";

const PIECE = new Uint8Array(64 << 10);

/** More than the kernel keeps for one connection on its two sides, in bytes (tcp_wmem and tcp_rmem: 4 and 6 MiB). */
const TOTAL_BYTES = 64 << 20;
const KERNEL_BYTES = 16 << 20;

/** Hands both ends of one connection to `body`. */
async function withPair(secure: boolean, body: (dialled: Duplex, accepted: Duplex) => Promise<void>): Promise<void> {
  const accepted = Promise.withResolvers<Duplex>();
  const place = { host: "127.0.0.1", port: 0, onConnection: accepted.resolve, log: getLogger("test") };
  const authority = await createAutomaticTls();
  const profile = { minVersion: "VersionTLS13", cipherSuites: [] } as const;
  const serverSide = { ca: authority.client.cert, ...(await authority.issueServer("vm")) };
  const clientSide = { ca: authority.ca.cert, ...authority.client };
  const listener = secure
    ? await listenTls({ ...place, credentials: serverSide, profile, requireClientCert: true })
    : await listenTcp(place);
  const dialled = secure
    ? await createTlsDialer({ credentials: clientSide, profile, serverName: "vm", skipVerify: false })
      .dial(listener.address)
    : await dialTcp(listener.address);
  const sockets = [dialled, await accepted.promise] as const;
  const closed = sockets.map((socket) => once(socket.on("error", () => {}), "close"));
  try {
    await body(...sockets);
  } finally {
    for (const socket of sockets) socket.destroy();
    await Promise.all([listener.close(), ...closed]);
  }
}

/** Writes TOTAL_BYTES, one piece after the other; `stalled` resolves when a piece has not been taken for a while. */
function startWriting(socket: Duplex) {
  let taken = 0;
  const stalled = Promise.withResolvers<void>();
  let timer = setTimeout(stalled.resolve, 500);
  const write = () => {
    clearTimeout(timer);
    if (taken === TOTAL_BYTES) return stalled.resolve();
    timer = setTimeout(stalled.resolve, 500);
    socket.write(PIECE, () => {
      taken += PIECE.byteLength;
      write();
    });
  };
  write();
  return { stalled: stalled.promise, taken: () => taken, stop: () => clearTimeout(timer) };
}

for (const secure of [false, true]) {
  for (const reader of ["dialled", "accepted"] as const) {
    Deno.test(`pauseReading() stops the sender, ${secure ? "with TLS" : "over TCP"}, ${reader} end`, async () => {
      await withPair(secure, async (dialled, accepted) => {
        const [reading, writing] = reader === "dialled" ? [dialled, accepted] : [accepted, dialled];
        let read = 0;
        const done = Promise.withResolvers<void>();
        reading.on("data", (chunk: Uint8Array) => {
          read += chunk.byteLength;
          if (read === TOTAL_BYTES) done.resolve();
        });
        pauseReading(reading);
        const sender = startWriting(writing);
        await sender.stalled;
        assert.ok(sender.taken() < KERNEL_BYTES, `${sender.taken()} bytes went to an end that does not read`);
        assert.equal(read, 0);
        resumeReading(reading);
        await done.promise;
        sender.stop();
      });
    });
  }
}
