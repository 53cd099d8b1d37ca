// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { getLogger } from "@logtape/logtape";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import { type GuestEnd, type GuestEndOptions, startGuestEnd } from "../testing/guest_end.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import { createUpstream } from "./relay_upstream.ts";

const log = getLogger(["peerctl", "test"]);
const never = new AbortController().signal;

async function withGuest(o: Omit<GuestEndOptions, "log">, body: (guest: GuestEnd) => Promise<void>): Promise<void> {
  const guest = await startGuestEnd({ ...o, log });
  try {
    await body(guest);
  } finally {
    await guest.stop();
  }
}

for (const tlsName of [undefined, "podvm-one"]) {
  const how = tlsName === undefined ? "plain TCP" : "mutual TLS";

  Deno.test(`check() resolves after a health reply over ${how} and leaves no connection`, async () => {
    await withGuest({ tlsName }, async (guest) => {
      const upstream = createUpstream({ ...guest, log });
      assert.equal(upstream.usesTls, tlsName !== undefined);
      await upstream.check({ timeoutMs: 5_000, signal: never });
      await guest.untilConnections(0);
      assert.equal(guest.accepted, 1);
    });
  });

  Deno.test(`check() tries again while an agent is not there yet, over ${how}`, async () => {
    await withGuest({ tlsName, refuseFirst: 2 }, async (guest) => {
      await createUpstream({ ...guest, log }).check({ timeoutMs: 10_000, signal: never });
      assert.equal(guest.accepted, 3);
    });
  });
}

Deno.test("check() names the last cause when its time is over", async () => {
  const guest = await startGuestEnd({ log });
  await guest.stop();
  const upstream = createUpstream({ ...guest, log });
  await assert.rejects(upstream.check({ timeoutMs: 400, signal: never }), {
    kind: "timeout",
    message: /nobody listens/,
  });
});

Deno.test("check() does not wait longer than its time for an agent that accepts and is silent", async () => {
  await withGuest({ isSilent: true }, async (guest) => {
    const upstream = createUpstream({ ...guest, log });
    const refusal = { kind: "timeout", message: /did not answer a health check/ };
    await assert.rejects(upstream.check({ timeoutMs: 200, signal: never }), refusal);
    await guest.untilConnections(0);
  });
});

Deno.test("W16: check() fails at once for a wrong name, a foreign CA and a client that is refused", async () => {
  const stranger = await createAutomaticTls();
  await withGuest({ tlsName: "podvm-one" }, async (guest) => {
    assert.ok(guest.tls);
    const { credentials } = guest.tls;
    const bad = {
      "wrong name": { ...guest.tls, serverName: "podvm-two" },
      "foreign CA": { ...guest.tls, credentials: { ...credentials, ca: stranger.ca.cert } },
      "foreign client": { ...guest.tls, credentials: { ...credentials, ...stranger.client } },
      "no client certificate": { ...guest.tls, credentials: { ca: credentials.ca } },
    };
    for (const [what, tls] of Object.entries(bad)) {
      const upstream = createUpstream({ ...guest, tls, log });
      await assert.rejects(upstream.check({ timeoutMs: 60_000, signal: never }), { kind: "auth" }, what);
    }
  });
});

Deno.test("check() fails at once when what answers is no agent", async () => {
  const check = () => Promise.reject(new RpcError(Code.unimplemented, "service grpc.Health"));
  await withGuest({ check }, async (guest) => {
    const upstream = createUpstream({ ...guest, log });
    const refusal = { name: "RpcError", code: Code.unimplemented, message: /service grpc.Health/ };
    await assert.rejects(upstream.check({ timeoutMs: 60_000, signal: never }), refusal);
  });
});

Deno.test("check() tries again when the agent answers with an error that may pass", async () => {
  let asked = 0;
  const check = () =>
    ++asked < 3 ? Promise.reject(new RpcError(Code.unknown, "not yet")) : Promise.resolve(new Uint8Array());
  await withGuest({ check }, async (guest) => {
    await createUpstream({ ...guest, log }).check({ timeoutMs: 10_000, signal: never });
    assert.equal(asked, 3);
  });
});

Deno.test("check() gives up when told to, while it waits and between two tries", async () => {
  await withGuest({ isSilent: true }, async (guest) => {
    const cancel = new AbortController();
    const checking = createUpstream({ ...guest, log }).check({ timeoutMs: 60_000, signal: cancel.signal });
    await guest.untilConnections(1);
    cancel.abort();
    await assert.rejects(checking, { kind: "closed" });
    await guest.untilConnections(0);
  });
  const gone = await startGuestEnd({ log });
  await gone.stop();
  const cancel = new AbortController();
  const checking = createUpstream({ ...gone, log }).check({ timeoutMs: 60_000, signal: cancel.signal });
  cancel.abort();
  await assert.rejects(checking, { kind: "closed" });
});

Deno.test("update() changes what the next connection proves itself with", async () => {
  const authority = await createAutomaticTls();
  const stranger = await createAutomaticTls();
  await withGuest({ tlsName: "podvm-one", authority }, async (guest) => {
    const upstream = createUpstream({ ...guest, log });
    upstream.update({ ca: authority.ca.cert, ...stranger.client });
    await assert.rejects(upstream.check({ timeoutMs: 60_000, signal: never }), { kind: "auth" });
    upstream.update({ ca: authority.ca.cert, ...authority.client });
    const connection = await upstream.dial(never);
    await guest.untilConnections(1);
    connection.destroy();
    await Promise.all([once(connection, "close"), guest.untilConnections(0)]);
  });
});
