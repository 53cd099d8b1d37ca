// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import type * as net from "node:net";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { create, toBinary } from "@bufbuild/protobuf";
import { dialUnix } from "../net/unix_socket.ts";
import { HelloRequestSchema, Relay } from "../proto/gen/relay_pb.ts";
import { type GuestEnd, startGuestEnd } from "../testing/guest_end.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createTtrpcClient, type TtrpcClient } from "../ttrpc/client.ts";
import { Code } from "../ttrpc/status.ts";
import { type TypedClient, typedClient } from "../ttrpc/typed.ts";
import { MAX_LABEL_BYTES, RELAY_PROTOCOL } from "./relay_protocol.ts";
import { MAX_CONNECTIONS } from "./relay_sandbox.ts";
import { type RunningRelay, startRelay } from "./relay_server.ts";
import { isSlotTaken, type RelaySlotPaths, takeRelaySlot } from "./relay_slot.ts";

const log = getLogger(["peerctl", "test"]);
const bytes = Buffer.from("hello");

interface OpenParts {
  readonly sandboxId: string;
  readonly agentSocket: string;
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: bigint;
  readonly tls?:
    | { serverName: string; caPem: string; certPem: string; keyPem: string; minVersion?: string }
    | undefined;
  readonly labels?: Record<string, string>;
}

interface Setup {
  readonly dir: string;
  readonly paths: RelaySlotPaths;
  readonly relay: RunningRelay;
  readonly guest: GuestEnd;
  /** A control connection of its own. */
  connect(): Promise<TtrpcClient>;
  readonly control: TypedClient<typeof Relay>;
  readonly connection: TtrpcClient;
  /** An Open request for the guest end, with changes. */
  request(changes?: Partial<OpenParts>): OpenParts;
  dialAgent(): Promise<{ socket: net.Socket; client: TtrpcClient }>;
}

/** A relay that lingers for 50 ms, one control connection, and one guest end. */
async function withRelay(
  o: { stay?: boolean; lingerMs?: number; guest?: Partial<Parameters<typeof startGuestEnd>[0]> },
  body: (setup: Setup) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const guest = await startGuestEnd({ log, ...o.guest });
    const slot = await takeRelaySlot(join(dir, "relay"), "0");
    const timing = { startGraceMs: 10_000, lingerMs: o.lingerMs ?? 50 };
    const relay = await startRelay({ slot, stay: o.stay ?? false, build: "test", log, timing });
    const clients: TtrpcClient[] = [];
    const keep = (socket: net.Socket) => {
      const client = createTtrpcClient(socket);
      clients.push(client);
      return client;
    };
    try {
      const connect = async () => keep(await dialUnix(slot.paths.controlSocket));
      const connection = await connect();
      const agentSocket = join(dir, "agent.ttrpc");
      const { host, port, tls } = guest;
      await body({
        dir,
        paths: slot.paths,
        relay,
        guest,
        connect,
        connection,
        control: typedClient(Relay, connection),
        request: (changes) => ({
          sandboxId: "s1",
          agentSocket,
          host,
          port,
          timeoutMs: 5_000n,
          ...(tls && {
            tls: {
              serverName: tls.serverName,
              caPem: tls.credentials.ca ?? "",
              certPem: tls.credentials.cert ?? "",
              keyPem: tls.credentials.key ?? "",
            },
          }),
          ...changes,
        }),
        dialAgent: async () => {
          const socket = await dialUnix(agentSocket);
          return { socket, client: keep(socket) };
        },
      });
    } finally {
      for (const client of clients) client.close();
      await Promise.all([relay.stop(), guest.stop(), ...clients.map(({ closed }) => closed)]);
    }
  });
}

Deno.test("hello says who the relay is, and ignores fields it does not know", async () => {
  await withRelay({ stay: true }, async ({ connection, control, paths }) => {
    const hello = await control.hello({ protocol: RELAY_PROTOCOL, build: "other" });
    assert.equal(hello.protocol, RELAY_PROTOCOL);
    assert.equal(hello.build, "test");
    assert.equal(hello.pid, BigInt(Deno.pid));
    assert.equal(hello.slot, "0");
    assert.equal(hello.stay, true);
    assert.equal((Deno.statSync(paths.controlSocket).mode ?? 0) & 0o777, 0o600);
    const unknownField = Uint8Array.of(0xa2, 0x06, 0x01, 0x78); // field 100, length 1, "x"
    const request = toBinary(HelloRequestSchema, create(HelloRequestSchema, { protocol: 9 }));
    await connection.call("peerctl.relay.v1.Relay", "Hello", Uint8Array.from([...request, ...unknownField]));
  });
});

Deno.test("open answers after a health reply, and only then is there an agent socket", async () => {
  const answer = Promise.withResolvers<Uint8Array>();
  const asked = Promise.withResolvers<void>();
  const check = () => (asked.resolve(), answer.promise);
  await withRelay({ guest: { check } }, async ({ control, request, guest, dialAgent }) => {
    const sandbox = request({ labels: { pod: "p", netns: "/run/netns/x" } });
    const opening = control.open(sandbox);
    await asked.promise;
    await assert.rejects(Deno.lstat(sandbox.agentSocket), Deno.errors.NotFound);
    assert.equal((await control.list({})).sandboxes[0]?.state, "opening");
    answer.resolve(new Uint8Array());
    await opening;
    assert.equal((Deno.statSync(sandbox.agentSocket).mode ?? 0) & 0o777, 0o600);
    await guest.untilConnections(0);
    const { client } = await dialAgent();
    assert.deepEqual(await client.call("grpc.AgentService", "WriteStdin", bytes), bytes);
    const [listed] = (await control.list({})).sandboxes;
    assert.equal(listed?.state, "open");
    assert.deepEqual(listed?.labels, { pod: "p", netns: "/run/netns/x" });
    assert.equal(listed?.connections, 1);
    assert.equal(guest.connections, 1);
  });
});

Deno.test("open over mutual TLS carries calls, and list never tells credentials", async () => {
  await withRelay({ guest: { tlsName: "podvm-one" } }, async ({ connection, control, request, dialAgent }) => {
    await control.open(request({ labels: { pod: "p" } }));
    const { client } = await dialAgent();
    assert.deepEqual(await client.call("grpc.AgentService", "WriteStdin", bytes), bytes);
    const reply = await connection.call("peerctl.relay.v1.Relay", "List", new Uint8Array());
    const text = new TextDecoder().decode(reply);
    assert.match(text, /s1/);
    assert.doesNotMatch(text, /BEGIN|PRIVATE|CERTIFICATE/);
  });
});

Deno.test("W13: open tells apart why it failed, and leaves nothing", async () => {
  await withRelay({ lingerMs: 60_000, guest: { tlsName: "podvm-one" } }, async ({ control, request, guest, dir }) => {
    const { tls } = request();
    assert.ok(tls);
    const cases: [string, Partial<OpenParts>, number, RegExp][] = [
      ["wrong name", { tls: { ...tls, serverName: "podvm-two" } }, Code.unauthenticated, /podvm-two/],
      ["no client certificate", { tls: { ...tls, certPem: "", keyPem: "" } }, Code.unauthenticated, /./],
      ["plain", { tls: undefined, timeoutMs: 300n }, Code.deadlineExceeded, /./],
      ["no CA", { tls: { ...tls, caPem: "" } }, Code.invalidArgument, /CA/],
      ["no name", { tls: { ...tls, serverName: "" } }, Code.invalidArgument, /name/],
      ["bad key", { tls: { ...tls, keyPem: "x" } }, Code.invalidArgument, /./],
      ["bad version", { tls: { ...tls, minVersion: "VersionTLS11" } }, Code.invalidArgument, /VersionTLS11/],
      ["path-like id", { sandboxId: "../x" }, Code.invalidArgument, /sandbox id/],
      ["empty id", { sandboxId: "" }, Code.invalidArgument, /sandbox id/],
      ["relative socket", { agentSocket: "agent.ttrpc" }, Code.invalidArgument, /absolute/],
      ["socket that is a directory", { agentSocket: dir }, Code.invalidArgument, /directory/],
      ["no folder for the socket", { agentSocket: join(dir, "no", "s") }, Code.invalidArgument, /no directory/],
      ["long socket", { agentSocket: join(dir, "x".repeat(100)) }, Code.invalidArgument, /107/],
      ["no host", { host: "" }, Code.invalidArgument, /host/],
      ["port 0", { port: 0 }, Code.invalidArgument, /port/],
      ["port 65536", { port: 65536 }, Code.invalidArgument, /port/],
      ["labels", { labels: { a: "x".repeat(MAX_LABEL_BYTES) } }, Code.resourceExhausted, /labels/],
    ];
    for (const [what, change, code, message] of cases) {
      await assert.rejects(control.open(request(change)), { name: "RpcError", code, message }, what);
    }
    assert.deepEqual((await control.list({})).sandboxes, []);
    await guest.untilConnections(0);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["relay"]);
  });
});

Deno.test("open gives up when its time is over, with the last cause", async () => {
  await withRelay({}, async ({ control, request, guest }) => {
    await guest.stop();
    const refusal = { code: Code.deadlineExceeded, message: /nobody listens/ };
    await assert.rejects(control.open(request({ timeoutMs: 300n })), refusal);
  });
});

Deno.test("open of the same sandbox again changes nothing, of another one under its id is refused", async () => {
  await withRelay({}, async ({ control, request, guest }) => {
    await Promise.all([control.open(request()), control.open(request())]);
    await control.open(request());
    assert.equal(guest.accepted, 1);
    for (
      const other of [{ host: "127.0.0.2" }, { port: 1 }, { agentSocket: "/run/x" }, {
        tls: { serverName: "x", caPem: "", certPem: "", keyPem: "" },
      }]
    ) {
      await assert.rejects(control.open(request(other)), { code: Code.alreadyExists });
    }
  });
});

Deno.test("open refuses an agent socket that another sandbox listens on, which goes on", async () => {
  await withRelay({}, async ({ control, request, dialAgent }) => {
    await control.open(request());
    await assert.rejects(control.open(request({ sandboxId: "s2" })), { code: Code.failedPrecondition });
    const { client } = await dialAgent();
    await client.call("grpc.Health", "Check", new Uint8Array());
  });
});

Deno.test("W14: close cancels an opening", async () => {
  await withRelay({ lingerMs: 60_000, guest: { isSilent: true } }, async ({ control, request, guest }) => {
    const opening = assert.rejects(control.open(request({ timeoutMs: 60_000n })), { code: Code.cancelled });
    await guest.untilConnections(1);
    assert.equal((await control.close({ sandboxId: "s1" })).known, true);
    await opening;
    await guest.untilConnections(0);
    assert.equal((await control.close({ sandboxId: "s1" })).known, false);
  });
});

Deno.test("open is cancelled when the last caller that waits for it goes", async () => {
  await withRelay({ lingerMs: 60_000, guest: { isSilent: true } }, async ({ connect, control, request, guest }) => {
    const callers = [await connect(), await connect()];
    const openings = callers.map((caller) =>
      assert.rejects(typedClient(Relay, caller).open(request({ timeoutMs: 60_000n })), { kind: "closed" })
    );
    await guest.untilConnections(1);
    for (const caller of callers) {
      assert.equal((await control.list({})).sandboxes.length, 1);
      caller.close();
      await caller.closed;
    }
    await Promise.all(openings);
    await guest.untilConnections(0);
    assert.deepEqual((await control.list({})).sandboxes, []);
  });
});

Deno.test("close ends connections, removes the socket and is repeatable; the id is free again", async () => {
  await withRelay({ lingerMs: 60_000 }, async ({ control, request, guest, dialAgent }) => {
    await control.open(request());
    const { client } = await dialAgent();
    const parked = assert.rejects(client.call("grpc.AgentService", "WaitProcess", bytes), { kind: "closed" });
    await guest.untilConnections(1);
    const closes = await Promise.all([control.close({ sandboxId: "s1" }), control.close({ sandboxId: "s1" })]);
    assert.deepEqual(closes.map(({ known }) => known), [true, true]);
    await parked;
    await guest.untilConnections(0);
    await assert.rejects(Deno.lstat(request().agentSocket), Deno.errors.NotFound);
    assert.equal((await control.close({ sandboxId: "s1" })).known, false);
    await control.open(request());
  });
});

Deno.test("every agent connection has one of its own to the pod VM; a silent one stays", async () => {
  await withRelay({}, async ({ control, request, guest, dialAgent }) => {
    await control.open(request());
    const silent = await dialAgent();
    const spoken = await dialAgent();
    await guest.untilConnections(2);
    await spoken.client.call("grpc.Health", "Check", new Uint8Array());
    spoken.client.close();
    await guest.untilConnections(1);
    assert.equal(silent.socket.destroyed, false);
    guest.dropConnections();
    await silent.client.closed;
  });
});

Deno.test("W15: a pod VM that could not be reached for one connection is dialled anew for the next", async () => {
  await withRelay({}, async ({ control, request, guest, dialAgent }) => {
    await control.open(request());
    const first = await dialAgent();
    await guest.untilConnections(1);
    guest.dropConnections();
    await first.client.closed;
    const second = await dialAgent();
    await second.client.call("grpc.Health", "Check", new Uint8Array());
  });
});

Deno.test("agent connections past the limit are closed, those before it go on", async () => {
  await withRelay({}, async ({ control, request, guest, dialAgent }) => {
    await control.open(request());
    const first = await dialAgent();
    const others = [];
    for (let count = 1; count < MAX_CONNECTIONS; count++) others.push(await dialAgent());
    await guest.untilConnections(MAX_CONNECTIONS);
    const { client } = await dialAgent();
    await client.closed;
    await first.client.call("grpc.Health", "Check", new Uint8Array());
  });
});

Deno.test("update replaces credentials for later connections of sandboxes with TLS", async () => {
  await withRelay({ guest: { tlsName: "podvm-one" } }, async ({ control, request, guest, dialAgent }) => {
    await control.open(request());
    const before = await dialAgent();
    await guest.untilConnections(1);
    const { caPem = "", certPem = "", keyPem = "" } = request().tls ?? {};
    await assert.rejects(control.update({ sandboxId: "", caPem, certPem, keyPem: "x" }), {
      code: Code.invalidArgument,
    });
    await (await dialAgent()).client.call("grpc.Health", "Check", new Uint8Array());
    assert.equal((await control.update({ sandboxId: "", caPem })).updated, 1);
    assert.equal((await control.update({ sandboxId: "none", caPem })).updated, 0);
    await (await dialAgent()).client.closed; // no client certificate any more
    await before.client.call("grpc.Health", "Check", new Uint8Array());
    assert.equal((await control.update({ sandboxId: "s1", caPem, certPem, keyPem })).updated, 1);
    await (await dialAgent()).client.call("grpc.Health", "Check", new Uint8Array());
  });
});

Deno.test("update leaves sandboxes without TLS alone", async () => {
  await withRelay({}, async ({ control, request }) => {
    await control.open(request());
    assert.equal((await control.update({ sandboxId: "" })).updated, 0);
  });
});

Deno.test("stats counts what was carried, ended connections and sandboxes included", async () => {
  await withRelay({ lingerMs: 60_000 }, async ({ control, request, dialAgent }) => {
    await control.open(request());
    const { client } = await dialAgent();
    await client.call("grpc.AgentService", "WriteStdin", new Uint8Array(100_000));
    const live = await control.stats({});
    assert.equal(live.sandboxes, 1);
    assert.equal(live.connections, 1);
    assert.equal(live.requests, 1n);
    assert.ok(live.toGuestBytes > 100_000n && live.toGuestBytes < 101_000n, `${live.toGuestBytes}`);
    assert.ok(live.toHostBytes > 100_000n && live.toHostBytes < 101_000n, `${live.toHostBytes}`);
    assert.ok(live.rssBytes > 0n);
    await control.close({ sandboxId: "s1" });
    const after = await control.stats({});
    assert.equal(after.connections, 0);
    assert.equal(after.toGuestBytes, live.toGuestBytes);
  });
});

Deno.test("drain refuses new sandboxes and ends the relay with its last one, -stay or not", async () => {
  await withRelay({ stay: true }, async ({ control, request, relay }) => {
    await control.open(request());
    assert.equal((await control.drain({})).sandboxes, 1);
    await assert.rejects(control.open(request({ sandboxId: "s2" })), { code: Code.unavailable, message: /draining/ });
    await control.open(request());
    assert.equal((await control.hello({})).draining, true);
    await control.close({ sandboxId: "s1" });
    await relay.closed;
  });
});

Deno.test("a relay ends after its last sandbox and frees its slot; without caa too", async () => {
  await withRelay({}, async ({ control, request, relay, paths, dir, connection }) => {
    await control.open(request());
    await control.close({ sandboxId: "s1" });
    await Promise.all([relay.closed, connection.closed]);
    assert.equal(await isSlotTaken(join(dir, "relay"), "0"), false);
    await assert.rejects(Deno.lstat(paths.controlSocket), Deno.errors.NotFound);
  });
  await withRelay({}, async ({ relay, connection }) => {
    connection.close();
    await relay.closed;
  });
});

Deno.test("a relay goes on without caa while it carries a sandbox, and another caa finds it", async () => {
  await withRelay({}, async ({ connect, connection, control, request, dialAgent }) => {
    await control.open(request({ labels: { pod: "p" } }));
    const { client } = await dialAgent();
    connection.close();
    await connection.closed;
    assert.deepEqual(await client.call("grpc.AgentService", "WriteStdin", bytes), bytes);
    const later = typedClient(Relay, await connect());
    assert.deepEqual((await later.list({})).sandboxes[0]?.labels, { pod: "p" });
  });
});

Deno.test("stop() ends sandboxes, those that open included, and removes their sockets", async () => {
  await withRelay({ guest: { refuseFirst: 0 } }, async ({ control, request, relay, guest, dialAgent, dir }) => {
    await control.open(request());
    const { socket } = await dialAgent();
    const closed = once(socket, "close");
    await guest.untilConnections(1);
    const silent = await startGuestEnd({ log, isSilent: true });
    try {
      const { host, port } = silent;
      const other = request({ sandboxId: "s2", host, port, agentSocket: join(dir, "other") });
      const opening = assert.rejects(control.open(other), isRelayEnd);
      await silent.untilConnections(1);
      await relay.stop();
      await Promise.all([closed, opening, guest.untilConnections(0), silent.untilConnections(0)]);
      assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["relay"]);
    } finally {
      await silent.stop();
    }
  });
});

Deno.test("startRelay() refuses a control socket that something is in the way of, and frees the slot", async () => {
  await withTempDir(async (dir) => {
    const slot = await takeRelaySlot(dir, "0");
    await Deno.writeTextFile(slot.paths.controlSocket, "");
    await assert.rejects(startRelay({ slot, stay: true, build: "test", log }), { name: "PeerctlError" });
    await Deno.remove(slot.paths.controlSocket);
    assert.equal(await isSlotTaken(dir, "0"), false);
  });
});

/** The relay's last word, or its end before it could say it. */
function isRelayEnd(error: unknown): boolean {
  const { code, kind } = error as { code?: number; kind?: string };
  return code === Code.unavailable || kind === "closed";
}
