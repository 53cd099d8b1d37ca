// SPDX-License-Identifier: Apache-2.0

import { Buffer } from "node:buffer";
import { once } from "node:events";
import assert from "node:assert/strict";
import type net from "node:net";
import { getLogger } from "@logtape/logtape";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import { createTlsDialer, listenTls, type TlsProfile } from "../net/tls.ts";
import { createFramePeer } from "../testing/frame_peer.ts";
import { responseFrame } from "../testing/frames.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { untilClosed } from "../testing/spliced.ts";
import { createTtrpcClient } from "./client.ts";
import { createTtrpcServer } from "./server.ts";
import { type Rewriters, type Splice, spliceTtrpc } from "./splice.ts";

const NAME = "podvm-test";
const MIB = 1 << 20;
const PROFILES: readonly TlsProfile[] = [
  { minVersion: "VersionTLS12", cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"] },
  { minVersion: "VersionTLS13", cipherSuites: [] },
];
const log = getLogger("test");

interface TwoHops {
  /** The client's end of the unix connection at the worker, the server's end of the one in the guest. */
  readonly client: net.Socket;
  readonly server: net.Socket;
  /** What the splice in the guest reads replies from. */
  readonly nearServer: net.Socket;
  readonly splices: readonly Splice[];
}

/** Joins two unix connections through two splices with mutual TLS between them, as worker and guest do. */
function withTwoHops(
  profile: TlsProfile,
  rewriters: { worker: Rewriters; guest: Rewriters },
  body: (hops: TwoHops) => Promise<void>,
): Promise<void> {
  return withSocketPair((client, nearClient) =>
    withSocketPair(async (nearServer, server) => {
      const authority = await createAutomaticTls();
      const accepted = Promise.withResolvers<Splice>();
      const listener = await listenTls({
        host: "127.0.0.1",
        port: 0,
        credentials: { ca: authority.client.cert, ...(await authority.issueServer(NAME)) },
        profile,
        requireClientCert: true,
        onConnection(socket) {
          accepted.resolve(spliceTtrpc({ client: socket, server: nearServer, rewriters: rewriters.guest, log }));
        },
        log,
      });
      const credentials = { ca: authority.ca.cert, ...authority.client };
      const dialer = createTlsDialer({ credentials, profile, serverName: NAME, skipVerify: false });
      const upstream = await dialer.dial(listener.address);
      const worker = spliceTtrpc({ client: nearClient, server: upstream, rewriters: rewriters.worker, log });
      const splices = [worker, await accepted.promise];
      for (const socket of [client, server]) socket.on("error", () => {});
      try {
        await body({ client, server, nearServer, splices });
      } finally {
        for (const splice of splices) splice.destroy();
        await Promise.all([listener.close(), ...splices.map(({ closed }) => closed)]);
      }
    })
  );
}

const NONE: Rewriters = new Map();

Deno.test("two splices over mutual TLS carry calls of any size, some held and overtaken at either hop", async () => {
  let release: (() => void)[] = [];
  const hold = (suffix: string): Rewriters =>
    new Map([[
      "t.S/Held",
      (payload) => new Promise((resolve) => release.push(() => resolve(Buffer.concat([payload, Buffer.from(suffix)])))),
    ]]);
  for (const profile of PROFILES) {
    await withTwoHops(profile, { worker: hold(" worker"), guest: hold(" guest") }, async (hops) => {
      const echo = (payload: Uint8Array) => Promise.resolve(payload);
      const services = new Map([["t.S", new Map([["Held", echo], ["Plain", echo]])]]);
      const server = createTtrpcServer({ services, log });
      server.serve(hops.server);
      const client = createTtrpcClient(hops.client);

      for (let round = 0; round < 10; round++) {
        const create = client.call("t.S", "Held", Buffer.from("held"));
        for (let hop = 0; hop < 2; hop++) {
          const sizes = [0, 1, 100, 50_000, 1 << 20];
          await Promise.all(sizes.map(async (size) => {
            const payload = Buffer.alloc(size, round + 1);
            assert.ok(Buffer.compare(await client.call("t.S", "Plain", payload), payload) === 0);
          }));
          assert.equal(release.length, 1, "the held request waits at this hop while others pass");
          for (const open of release) open();
          release = [];
        }
        assert.equal(Buffer.from(await create).toString(), "held worker guest");
      }
      client.close();
      await client.closed;
      await Promise.all(hops.splices.map(({ closed }) => closed));
      await server.shutdown();
    });
  }
});

Deno.test("two splices over TLS pass the end of either side on, at once", async () => {
  for (const profile of PROFILES) {
    for (const [from, to] of [["client", "server"], ["server", "client"]] as const) {
      for (const leave of ["end", "destroy"] as const) {
        await withTwoHops(profile, { worker: NONE, guest: NONE }, async (hops) => {
          hops[to].resume();
          hops[from][leave]();
          await Promise.all([untilClosed(hops[to]), ...hops.splices.map(({ closed }) => closed)]);
        });
      }
    }
  }
});

Deno.test("two splices over TLS deliver the replies that came before the server closed", async () => {
  for (const profile of PROFILES) {
    await withTwoHops(profile, { worker: NONE, guest: NONE }, async (hops) => {
      const replies = [responseFrame(1, Buffer.alloc(1 << 20, 1)), responseFrame(3, Buffer.alloc(3 << 20, 3))];
      const asking = createFramePeer(hops.client);
      for (const reply of replies) hops.server.write(reply);
      hops.server.end();
      const arrived = await asking.ended;
      assert.ok(Buffer.compare(arrived, Buffer.concat(replies)) === 0, `${arrived.byteLength} bytes arrived`);
    });
  }
});

Deno.test("two splices over TLS stop reading the server when the client reads slowly", async () => {
  for (const profile of PROFILES) {
    await withTwoHops(profile, { worker: NONE, guest: NONE }, async (hops) => {
      hops.client.pause();
      const replies = Array.from({ length: 32 }, (_, i) => responseFrame(2 * i + 1, Buffer.alloc(1 << 20, i)));
      for (const reply of replies) hops.server.write(reply);
      if (!hops.nearServer.isPaused()) await once(hops.nearServer, "pause");
      const [worker, guest] = hops.splices;
      assert.ok(worker!.stats.toClientBytes < 2 * MIB, "more than sockets and outlets hold was read");
      assert.ok(guest!.stats.toClientBytes < 16 * MIB, "more than TCP's own buffers and the outlets hold was read");
      const asking = createFramePeer(hops.client.resume());
      for (const reply of replies) assert.ok(Buffer.compare(await asking.takeFrame(), reply) === 0);
      assert.equal(hops.nearServer.isPaused(), false);
    });
  }
});
