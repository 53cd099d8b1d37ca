// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import * as tls from "node:tls";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import { createSelfSignedClient } from "../crypto/certificates.ts";
import type { PeerctlError } from "../errors.ts";
import { makeTestAuthority } from "../testing/certificates.ts";
import { type LogRecord, recordLog } from "../testing/recorded_log.ts";
import {
  classifyTlsError,
  createTlsDialer,
  listenTls,
  type ListenTlsOptions,
  parseTlsProfile,
  type TlsClientOptions,
  type TlsCredentials,
  type TlsListener,
} from "./tls.ts";

const DAY_MS = 24 * 3_600_000;

const TLS12 = parseTlsProfile("", []);
const TLS13 = parseTlsProfile("VersionTLS13", []);

const authority = await makeTestAuthority();
const foreign = await makeTestAuthority({ name: "Foreign CA" });
const ca = authority.caPem;
const serverSide: TlsCredentials = { ca, ...await authority.leaf() };
const clientSide: TlsCredentials = { ca, ...await authority.leaf({ usage: "client" }) };

interface Served extends TlsListener, AsyncDisposable {
  readonly records: LogRecord[];
  /** Subjects of the clients that onConnection was called for. */
  readonly accepted: string[];
}

/** Listens and echoes; disposal ends the connections too. */
async function serve(o: Partial<ListenTlsOptions> = {}): Promise<Served> {
  const { log, records } = recordLog();
  const accepted: string[] = [];
  const sockets = new Set<net.Socket>();
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    credentials: serverSide,
    profile: TLS12,
    requireClientCert: true,
    log,
    onConnection(socket) {
      accepted.push(socket.getPeerX509Certificate()?.subject ?? "");
      sockets.add(socket);
      socket.pipe(socket);
    },
    ...o,
  });
  return {
    ...listener,
    records,
    accepted,
    async [Symbol.asyncDispose]() {
      await listener.close();
      for (const socket of sockets) {
        if (socket.closed) continue;
        socket.destroy();
        await once(socket, "close");
      }
    },
  };
}

function dialerFor(o: Partial<TlsClientOptions> = {}) {
  return createTlsDialer({
    credentials: clientSide,
    profile: TLS12,
    serverName: "podvm-server",
    skipVerify: false,
    ...o,
  });
}

async function closeSocket(socket: net.Socket): Promise<void> {
  socket.destroy();
  if (!socket.closed) await once(socket, "close");
}

/** Resolves when the other side has ended the connection, with whatever; fails when it lets us in instead. */
async function ended(socket: net.Socket): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.on("error", () => {}).once("close", () => resolve()).resume());
  let wasLetIn = false;
  const timer = setTimeout(() => {
    wasLetIn = true;
    socket.destroy();
  }, 10_000);
  await closed;
  clearTimeout(timer);
  assert.equal(wasLetIn, false, "the connection was not ended");
}

async function echo(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  return String((await once(socket, "data"))[0]);
}

/** Resolves with what a connection failed with after its handshake, as its user would classify it. */
async function laterFailure(socket: tls.TLSSocket): Promise<PeerctlError> {
  let failure: Error | undefined;
  socket.on("error", (error) => failure = error).resume();
  if (!socket.closed) await once(socket, "close").catch(() => {});
  assert.ok(failure, "the connection ended without an error");
  return classifyTlsError(failure);
}

/** Tries until an error of kind "auth": with TLS 1.3 a refusal without an alert is certain only when it repeats. */
async function refusalOf(dial: () => Promise<tls.TLSSocket>): Promise<PeerctlError> {
  for (let attempt = 1; attempt <= 8; attempt++) {
    const failure = await dial().then(laterFailure, (error) => error as PeerctlError);
    if (failure.kind === "auth") return failure;
    assert.equal(failure.kind, "peer");
  }
  throw new Error("no attempt was refused for good");
}

Deno.test("createTlsDialer() and listenTls() carry bytes both ways, over one context for many connections", async () => {
  await using server = await serve();
  const dialer = dialerFor();
  const sockets = await Promise.all(Array.from({ length: 5 }, () => dialer.dial(server.address)));
  for (const [i, socket] of sockets.entries()) assert.equal(await echo(socket, `call ${i}`), `call ${i}`);
  assert.equal(sockets[0]!.getProtocol(), "TLSv1.3");
  for (const socket of sockets) await closeSocket(socket);
  assert.deepEqual(server.accepted, Array(5).fill("CN=podvm_client"));
  assert.deepEqual(server.records, []);
});

Deno.test("listenTls() accepts exactly the certificate of automatic mode, which is no CA and its own issuer", async () => {
  const [automatic, other] = await Promise.all([createAutomaticTls(), createAutomaticTls()]);
  const credentials = { ca: automatic.client.cert, ...await automatic.issueServer("podvm-a-1") };
  await using server = await serve({ credentials });
  const o = { serverName: "podvm-a-1", credentials: { ca: automatic.ca.cert, ...automatic.client } };
  for (const profile of [TLS12, TLS13]) {
    const socket = await dialerFor({ ...o, profile }).dial(server.address);
    assert.equal(await echo(socket, "x"), "x");
    await closeSocket(socket);
  }
  const impostor = dialerFor({ ...o, credentials: { ca: automatic.ca.cert, ...other.client } });
  assert.equal((await refusalOf(() => impostor.dial(server.address))).kind, "auth");
  assert.equal(server.accepted.length, 2);
  await assert.rejects(dialerFor({ ...o, serverName: "podvm-a-2" }).dial(server.address), {
    kind: "auth",
    message: /not for "podvm-a-2" but for "DNS:podvm-a-1"/,
  });
});

Deno.test("listenTls() never hands out a client without a certificate, and the client is told why", async () => {
  await using server = await serve();
  const refusal = await refusalOf(() => dialerFor({ credentials: { ca } }).dial(server.address));
  assert.match(refusal.message, /the peer wants a client certificate and we sent none/);
  assert.deepEqual(server.accepted, []);
  assert.equal(server.records[0]?.level, "warn");
  assert.equal(server.records[0]?.fields.reason, "the peer sent no certificate");
});

const badClients: Record<string, () => Promise<{ cert: string; key: string }>> = {
  "of a foreign CA": () => foreign.leaf({ usage: "client" }),
  "of a CA with the same name": async () => (await makeTestAuthority()).leaf({ usage: "client" }),
  "made for servers": () => authority.leaf({ usage: "server" }),
};
for (const [what, makeLeaf] of Object.entries(badClients)) {
  Deno.test(`listenTls() never hands out a client whose certificate is ${what}`, async () => {
    await using server = await serve();
    const dialer = dialerFor({ credentials: { ca, ...await makeLeaf() } });
    const refusal = await refusalOf(() => dialer.dial(server.address));
    assert.match(refusal.message, /most likely refuses our certificate|refuses our certificate/);
    assert.deepEqual(server.accepted, []);
    assert.equal(server.records[0]?.level, "warn");
    assert.match(String(server.records[0]?.fields.peer), /^127\.0\.0\.1:\d+$/);
    assert.match(String(server.records[0]?.fields.reason), /certificate/);
  });
}

for (const startsIn of [-10, 10]) {
  const what = startsIn < 0 ? "expired" : "not yet valid";
  Deno.test(`listenTls() never hands out a client whose certificate is ${what}, also one that is its own CA`, async () => {
    const issued = await authority.leaf({ usage: "client", startsIn });
    const itself = await createSelfSignedClient({
      subject: [{ type: "O", value: "cloud-api-adaptor" }],
      keyType: "ecdsa-p256",
      now: new Date(Date.now() + startsIn * DAY_MS),
      validMs: DAY_MS,
    });
    // Beside a CA that is valid, or the listener would not start.
    for (const [leaf, trusted] of [[issued, ca], [itself, itself.cert + ca]] as const) {
      await using server = await serve({ credentials: { ...serverSide, ca: trusted } });
      // A context of the test's own: ours refuses to show such a certificate.
      const { cert, key } = leaf;
      const socket = tls.connect({ ...server.address, ca, cert, key, servername: "podvm-server" });
      await ended(socket);
      assert.deepEqual(server.accepted, []);
      assert.equal(server.records.length, 1);
    }
  });
}

Deno.test("dial() refuses another name, also when it dials an address", async () => {
  await using server = await serve();
  await assert.rejects(dialerFor({ serverName: "podvm-other" }).dial(server.address), {
    kind: "auth",
    message:
      /^Cannot connect to 127\.0\.0\.1:\d+: the peer's certificate is not for "podvm-other" but for "DNS:podvm-server"$/,
  });
  await assert.rejects(dialerFor({ serverName: "127.0.0.1" }).dial(server.address), { kind: "auth" });
});

Deno.test("dial() verifies an address when that is the name", async () => {
  const credentials = { ca, ...await authority.leaf({ name: "10.1.2.3" }) };
  await using server = await serve({ credentials });
  const socket = await dialerFor({ serverName: "10.1.2.3" }).dial(server.address);
  assert.equal(await echo(socket, "x"), "x");
  await closeSocket(socket);
});

Deno.test("dial() says what is wrong with a server's certificate", async () => {
  const sameName = await makeTestAuthority();
  const cases: Array<[{ cert: string; key: string }, RegExp]> = [
    [await foreign.leaf(), /issued by "CN=Foreign CA", and the CA that we trust is another one \(subject CN=Test CA\)/],
    [await sameName.leaf(), /issued by another CA that has the same name as ours/],
    [await authority.leaf({ usage: "client", name: "podvm-server" }), /not made for servers/],
  ];
  for (const [leaf, message] of cases) {
    await using server = await serve({ credentials: { ca, ...leaf } });
    await assert.rejects(dialerFor().dial(server.address), { kind: "auth", message });
    assert.deepEqual(server.accepted, []);
  }
  for (const [startsIn, message] of [[-10, /it expired on \d{4}-/], [10, /it is not valid before \d{4}-/]] as const) {
    const leaf = await authority.leaf({ startsIn });
    const server = tls.createServer(leaf, (socket) => socket.on("error", () => {}).destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    await assert.rejects(dialerFor().dial({ host: "127.0.0.1", port }), { kind: "auth", message });
    server.close();
    await once(server, "close");
  }
});

Deno.test("dial() with skipVerify accepts any server and still shows our certificate", async () => {
  const credentials = { ca, ...await foreign.leaf({ name: "elsewhere" }) };
  await using server = await serve({ credentials });
  for (const serverName of ["", "podvm-server"]) {
    const socket = await dialerFor({ skipVerify: true, serverName }).dial(server.address);
    assert.equal(await echo(socket, "x"), "x");
    await closeSocket(socket);
  }
  assert.deepEqual(server.accepted, ["CN=podvm_client", "CN=podvm_client"]);
  await assert.rejects(dialerFor().dial(server.address), { kind: "auth" });
});

Deno.test("A profile of TLS 1.3 refuses TLS 1.2, on both ends", async () => {
  await using server = await serve({ profile: TLS13 });
  const old = tls.connect({ ...server.address, ...clientSide, servername: "podvm-server", maxVersion: "TLSv1.2" });
  const [error] = await once(old, "error");
  assert.match(classifyTlsError(error).message, /no TLS version in common/);
  assert.equal(classifyTlsError(error).kind, "auth");
  assert.deepEqual(server.accepted, []);

  const oldServer = tls.createServer({ ...serverSide, maxVersion: "TLSv1.2" }).listen(0, "127.0.0.1");
  await once(oldServer, "listening");
  const { port } = oldServer.address() as net.AddressInfo;
  await assert.rejects(dialerFor({ profile: TLS13 }).dial({ host: "127.0.0.1", port }), {
    kind: "auth",
    message: /no TLS version in common/,
  });
  oldServer.close();
  await once(oldServer, "close");
});

Deno.test("A profile's cipher suites are enforced for TLS 1.2 on both ends, before a byte is handed out", async () => {
  const chacha = parseTlsProfile("", ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"]);
  await using server = await serve({ profile: chacha });
  const old = tls.connect({ ...server.address, ...clientSide, servername: "podvm-server", maxVersion: "TLSv1.2" });
  old.on("secureConnect", () => old.write("secret"));
  await ended(old);
  assert.deepEqual(server.accepted, []);
  assert.match(String(server.records[0]?.fields.reason), /agreed on TLS_ECDHE_ECDSA_WITH_AES_\d+.*allows.*CHACHA20/);
  // TLS 1.3 is not bound by the list, as in Go.
  const socket = await dialerFor({ profile: chacha }).dial(server.address);
  assert.equal(await echo(socket, "x"), "x");
  await closeSocket(socket);

  const oldServer = tls.createServer({ ...serverSide, maxVersion: "TLSv1.2" }).listen(0, "127.0.0.1");
  oldServer.on("secureConnection", (one) => one.on("error", () => {}).resume());
  await once(oldServer, "listening");
  const { port } = oldServer.address() as net.AddressInfo;
  await assert.rejects(dialerFor({ profile: chacha }).dial({ host: "127.0.0.1", port }), {
    kind: "auth",
    message: /agreed on TLS_ECDHE_ECDSA_WITH_AES_\d+.*allows.*CHACHA20/,
  });
  const aes = parseTlsProfile("", [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  ]);
  await closeSocket(await dialerFor({ profile: aes }).dial({ host: "127.0.0.1", port }));
  oldServer.close();
  await once(oldServer, "close");
});

Deno.test("update() replaces certificates on both ends; open connections stay", async () => {
  await using server = await serve();
  const dialer = dialerFor();
  const before = await dialer.dial(server.address);
  assert.equal(await echo(before, "one"), "one");

  const next = { ca: foreign.caPem, ...await foreign.leaf() };
  server.update(next);
  await assert.rejects(dialer.dial(server.address), { kind: "auth", message: /issued by "CN=Foreign CA"/ });
  dialer.update({ ca: foreign.caPem, ...await foreign.leaf({ usage: "client" }) });
  const after = await dialer.dial(server.address);
  assert.equal(await echo(after, "two"), "two");
  assert.equal(await echo(before, "three"), "three");
  await closeSocket(before);
  await closeSocket(after);

  const accepted = server.accepted.length;
  const none = dialerFor({ credentials: { ca: foreign.caPem } });
  assert.equal((await refusalOf(() => none.dial(server.address))).kind, "auth");
  const old = dialerFor({ credentials: { ...clientSide, ca: foreign.caPem } });
  assert.equal((await refusalOf(() => old.dial(server.address))).kind, "auth");
  assert.equal(server.accepted.length, accepted);
});

Deno.test("update() refuses credentials that cannot be used, and the old ones stay", async () => {
  await using server = await serve();
  const dialer = dialerFor();
  const mixed = { ...serverSide, key: clientSide.key };
  assert.throws(() => server.update(mixed), { kind: "config", message: /does not belong to/ });
  assert.throws(() => dialer.update(mixed), { kind: "config" });
  assert.throws(() => dialer.update({}), { kind: "config", message: /no CA certificate given/ });
  const socket = await dialer.dial(server.address);
  assert.equal(await echo(socket, "x"), "x");
  await closeSocket(socket);
});

Deno.test("listenTls() and createTlsDialer() refuse to run without what they verify with", async () => {
  const { cert, key } = serverSide;
  for (const credentials of [{ cert, key }, {}, { ca }, { ...serverSide, ca: "" }, { ...serverSide, ca: "garbage" }]) {
    await assert.rejects(serve({ credentials }), { kind: "config" });
  }
  for (const credentials of [{ cert, key }, {}, { ...clientSide, ca: "" }, { ca, cert: clientSide.cert }]) {
    assert.throws(() => dialerFor({ credentials }), { kind: "config" });
  }
  assert.throws(() => dialerFor({ serverName: "" }), { kind: "config", message: /no server name/ });
});

Deno.test("listenTls() without client certificates serves a client that has none", async () => {
  await using server = await serve({
    requireClientCert: false,
    credentials: { cert: serverSide.cert, key: serverSide.key },
  });
  const socket = await dialerFor({ credentials: { ca } }).dial(server.address);
  assert.equal(await echo(socket, "x"), "x");
  await closeSocket(socket);
});

Deno.test("listenTls() says nothing of a connection without a byte, and ends one that stays silent", async () => {
  await using server = await serve({ handshakeTimeoutMs: 50 });
  const probe = net.connect(server.address.port, "127.0.0.1", () => probe.end());
  await once(probe.resume(), "close");
  const silent = net.connect(server.address.port, "127.0.0.1");
  await once(silent.resume(), "close");
  const halfway = net.connect(server.address.port, "127.0.0.1", () => halfway.write(new Uint8Array([22, 3, 1, 2])));
  await once(halfway.resume(), "close");
  assert.deepEqual(server.records.map(({ level, fields }) => [level, fields.reason]), [
    ["debug", "no handshake within 50 ms"],
    ["debug", "no handshake within 50 ms"],
  ]);
  assert.deepEqual(server.accepted, []);
});

Deno.test("listenTls() warns once of a flood of refused clients and keeps the rest at debug", async () => {
  await using server = await serve();
  for (let i = 0; i < 5; i++) {
    const scanner = net.connect(server.address.port, "127.0.0.1", () => scanner.write("GET / HTTP/1.0\r\n\r\n"));
    await ended(scanner);
  }
  assert.deepEqual(server.records.map(({ level }) => level), ["warn", "debug", "debug", "debug", "debug"]);
  assert.equal(server.records[0]?.fields.reason, "the peer does not speak TLS");
});

Deno.test("close() ends handshakes that are under way, and they are never handed out", async () => {
  await using server = await serve({ handshakeTimeoutMs: 120_000 });
  const waiting = net.connect(server.address.port, "127.0.0.1");
  await once(waiting, "connect");
  const trigger = await dialerFor().dial(server.address);
  await closeSocket(trigger);
  await server.close();
  await once(waiting.resume(), "close", { signal: AbortSignal.timeout(10_000) });
  await assert.rejects(dialerFor().dial(server.address), { kind: "peer" });
});

Deno.test("dial() tells an unreachable peer, one that breaks off, and one that speaks no TLS", async () => {
  const plain = net.createServer((socket) => {
    socket.on("error", () => {}).resume();
    if (answer === "close") socket.destroy();
    else if (answer === "reset") socket.resetAndDestroy();
    else if (answer !== "") socket.end(answer);
  });
  let answer = "";
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  const address = { host: "127.0.0.1", port: (plain.address() as net.AddressInfo).port };
  for (answer of ["close", "reset"]) {
    await assert.rejects(dialerFor().dial(address), { kind: "peer", message: /the peer broke the connection off/ });
  }
  answer = "HTTP/1.0 400 Bad Request\r\n\r\n";
  await assert.rejects(dialerFor().dial(address), { kind: "auth", message: /the peer does not speak TLS/ });
  answer = "";
  await assert.rejects(dialerFor().dial({ ...address, timeoutMs: 30 }), {
    kind: "timeout",
    message: /no connection within 30 ms/,
  });
  const stop = new AbortController();
  const dialling = dialerFor().dial({ ...address, signal: stop.signal });
  stop.abort();
  await assert.rejects(dialling, { kind: "closed" });
  plain.close();
  await once(plain, "close");
  await assert.rejects(dialerFor().dial(address), { kind: "peer", message: /nobody listens there/ });
});

Deno.test("dial() takes a server that closes without a byte for a refusal only when it does so five times", async () => {
  let closing = true;
  await using server = await serve({
    onConnection: (socket) => void (closing ? socket.destroy() : socket.pipe(socket).on("close", () => {})),
  });
  const dialer = dialerFor();
  const kinds: string[] = [];
  const lose = async () => void kinds.push((await laterFailure(await dialer.dial(server.address))).kind);
  for (let i = 0; i < 4; i++) await lose();
  closing = false;
  const good = await dialer.dial(server.address);
  assert.equal(await echo(good, "x"), "x");
  good.end();
  await once(good.resume(), "close");
  closing = true;
  for (let i = 0; i < 5; i++) await lose();
  assert.deepEqual(kinds, [...Array(8).fill("peer"), "auth"]);
});
