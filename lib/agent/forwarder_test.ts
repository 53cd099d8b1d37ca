// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type * as net from "node:net";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { getLogger } from "@logtape/logtape";
import type { AutomaticTls } from "../crypto/automatic.ts";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import { dialTcp } from "../net/tcp.ts";
import { createTlsDialer, type TlsCredentials } from "../net/tls.ts";
import { listenUnix } from "../net/unix_socket.ts";
import { AgentService, type CreateContainerRequest, CreateContainerRequestSchema } from "../proto/gen/agent_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../proto/gen/health_pb.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createTtrpcClient, type TtrpcClient } from "../ttrpc/client.ts";
import { createTtrpcServer } from "../ttrpc/server.ts";
import { implementService, typedClient } from "../ttrpc/typed.ts";
import { type ForwarderOptions, type ForwarderTls, startForwarder } from "./forwarder.ts";
import { createGuestRewriters } from "./guest_rewrite.ts";

const log = getLogger(["test"]);
const profile = { minVersion: "VersionTLS12", cipherSuites: [] } as const;
const networkNamespacePath = "/run/netns/podns";

/** An agent that answers Check, notes what containers it is asked for, and never answers WaitProcess. */
async function startAgent(path: string) {
  const containers: CreateContainerRequest[] = [];
  const events = new EventTarget();
  const server = createTtrpcServer({
    services: new Map([
      implementService(Health, { check: () => Promise.resolve({ status: HealthCheckResponse_ServingStatus.SERVING }) }),
      implementService(AgentService, {
        createContainer: (request) => {
          containers.push(request);
          return Promise.resolve({});
        },
        waitProcess: (_, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
            events.dispatchEvent(new Event("parked"));
          }),
      }),
    ]),
    log,
    onConnections: () => events.dispatchEvent(new Event("connections")),
  });
  const listener = await listenUnix({ path, onConnection: (socket) => server.serve(socket) });
  return {
    containers,
    server,
    parked: () => new Promise((resolve) => events.addEventListener("parked", resolve, { once: true })),
    async untilConnections(count: number) {
      while (server.connections !== count) {
        await new Promise((resolve) => events.addEventListener("connections", resolve, { once: true }));
      }
    },
    async [Symbol.asyncDispose]() {
      server.close();
      await listener.close();
    },
  };
}

async function startTestForwarder(dir: string, options: Partial<ForwarderOptions> = {}) {
  const forwarder = await startForwarder({
    listen: { host: "127.0.0.1", port: 0 },
    agentSocket: join(dir, "agent.sock"),
    rewriters: createGuestRewriters({ networkNamespacePath, log }),
    log,
    ...options,
  });
  return Object.assign(forwarder, { [Symbol.asyncDispose]: () => forwarder.stop() });
}

/** Ends a client and waits until its socket is gone. */
function clientOver(socket: net.Socket): TtrpcClient & AsyncDisposable {
  const client = createTtrpcClient(socket);
  // Not events.once(): it rejects when the connection is reset, which a forwarder that ends may do.
  const closed = new Promise<void>((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()));
  return Object.assign(client, {
    async [Symbol.asyncDispose]() {
      client.close();
      await closed;
    },
  });
}

const check = (client: TtrpcClient) => typedClient(Health, client).check({}, { timeoutMs: 10_000 });

async function issue(tls: AutomaticTls, name = "podvm"): Promise<ForwarderTls> {
  const credentials = { ...await tls.issueServer(name), ca: tls.client.cert };
  return { credentials, profile, requireClientCert: true };
}

function dialTls(address: { host: string; port: number }, credentials: TlsCredentials): Promise<net.Socket> {
  return createTlsDialer({ credentials, profile, serverName: "podvm", skipVerify: false }).dial(address);
}

Deno.test("startForwarder() carries Check to the agent and CreateContainer with its namespace, over mutual TLS", () =>
  withTempDir(async (dir) => {
    const tls = await createAutomaticTls();
    await using agent = await startAgent(join(dir, "agent.sock"));
    await using forwarder = await startTestForwarder(dir, { tls: await issue(tls) });
    await using client = clientOver(await dialTls(forwarder.address, { ca: tls.ca.cert, ...tls.client }));
    assert.equal((await check(client)).status, HealthCheckResponse_ServingStatus.SERVING);
    await typedClient(AgentService, client).createContainer({ containerId: "c1", OCI: { Linux: {} } });
    const [container] = agent.containers;
    assert.equal(container?.containerId, "c1");
    assert.deepEqual(container?.OCI?.Linux?.Namespaces.map((n) => [n.Type, n.Path]), [[
      "network",
      networkNamespacePath,
    ]]);
  }));

Deno.test("startForwarder() lets no client in without a certificate or with a foreign one", () =>
  withTempDir(async (dir) => {
    const tls = await createAutomaticTls();
    const foreign = await createAutomaticTls();
    await using agent = await startAgent(join(dir, "agent.sock"));
    await using forwarder = await startTestForwarder(dir, { tls: await issue(tls) });
    const attempt = async (credentials: TlsCredentials) => {
      await using client = clientOver(await dialTls(forwarder.address, credentials));
      await check(client);
    };
    await assert.rejects(attempt({ ca: tls.ca.cert }));
    await assert.rejects(attempt({ ca: tls.ca.cert, ...foreign.client }));
    assert.equal(agent.server.connections, 0);
    await attempt({ ca: tls.ca.cert, ...tls.client });
  }));

Deno.test("update() makes later connections see the new certificate", () =>
  withTempDir(async (dir) => {
    const [old, next] = [await createAutomaticTls(), await createAutomaticTls()];
    await using _agent = await startAgent(join(dir, "agent.sock"));
    await using forwarder = await startTestForwarder(dir, { tls: await issue(old) });
    await using before = clientOver(await dialTls(forwarder.address, { ca: old.ca.cert, ...old.client }));
    await check(before);
    forwarder.update((await issue(next)).credentials);
    await assert.rejects(dialTls(forwarder.address, { ca: old.ca.cert, ...old.client }), { kind: "auth" });
    await using after = clientOver(await dialTls(forwarder.address, { ca: next.ca.cert, ...next.client }));
    await check(after);
    await check(before);
  }));

Deno.test("startForwarder() has a client wait for an agent that starts later", () =>
  withTempDir(async (dir) => {
    await using forwarder = await startTestForwarder(dir);
    await using client = clientOver(await dialTcp(forwarder.address));
    const answer = check(client);
    await using _agent = await startAgent(join(dir, "agent.sock"));
    assert.equal((await answer).status, HealthCheckResponse_ServingStatus.SERVING);
  }));

Deno.test("startForwarder() ends a client whose agent does not appear in time", () =>
  withTempDir(async (dir) => {
    await using forwarder = await startTestForwarder(dir, { agentDialTimeoutMs: 50 });
    await using client = clientOver(await dialTcp(forwarder.address));
    await assert.rejects(check(client), { kind: "closed" });
  }));

Deno.test("startForwarder() gives each client an agent connection of its own, for exactly as long", () =>
  withTempDir(async (dir) => {
    await using agent = await startAgent(join(dir, "agent.sock"));
    await using forwarder = await startTestForwarder(dir);
    await using first = clientOver(await dialTcp(forwarder.address));
    await using second = clientOver(await dialTcp(forwarder.address));
    await Promise.all([check(first), check(second)]);
    assert.equal(agent.server.connections, 2);
    first.close();
    await agent.untilConnections(1);
    agent.server.close();
    await second.closed;
  }));

Deno.test("startForwarder() holds a CreateContainer while other calls of the connection pass", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    await Deno.writeTextFile(mountInfoPath, "");
    await using agent = await startAgent(join(dir, "agent.sock"));
    const rewriters = createGuestRewriters({ networkNamespacePath, log, mountInfoPath });
    await using forwarder = await startTestForwarder(dir, { rewriters });
    await using client = clientOver(await dialTcp(forwarder.address));
    const created = typedClient(AgentService, client).createContainer({
      containerId: "waits",
      OCI: { Annotations: { "io.confidentialcontainers.org.peerpodvolumes.target_path": "/v" } },
    });
    await check(client);
    await check(client);
    assert.equal(agent.containers.length, 0);
    await Deno.writeTextFile(`${mountInfoPath}.new`, "1 2 0:3 / /v rw - tmpfs tmpfs rw\n");
    await Deno.rename(`${mountInfoPath}.new`, mountInfoPath);
    await created;
    assert.deepEqual(agent.containers.map((c) => c.containerId), ["waits"]);
  }));

Deno.test("startForwarder() answers a refused CreateContainer itself and keeps the connection", () =>
  withTempDir(async (dir) => {
    await using agent = await startAgent(join(dir, "agent.sock"));
    await using forwarder = await startTestForwarder(dir);
    await using client = clientOver(await dialTcp(forwarder.address));
    const OCI = { Annotations: { "io.confidentialcontainers.org.cloud_volumes": "{}" } };
    const payload = toBinary(CreateContainerRequestSchema, create(CreateContainerRequestSchema, { OCI }));
    await assert.rejects(client.call("grpc.AgentService", "CreateContainer", payload), {
      code: 9,
      message: /cloud volumes/,
    });
    await check(client);
    assert.equal(agent.containers.length, 0);
  }));

Deno.test("stop() ends connections with parked calls, also one that still waits for the agent, and takes no more", () =>
  withTempDir(async (dir) => {
    const agentSocket = join(dir, "agent.sock");
    const waiting = await startTestForwarder(dir);
    await using early = clientOver(await dialTcp(waiting.address));
    await waiting.stop();
    await early.closed;
    await waiting.closed;

    await using agent = await startAgent(agentSocket);
    await using forwarder = await startTestForwarder(dir);
    await using client = clientOver(await dialTcp(forwarder.address));
    const parked = agent.parked();
    const call = typedClient(AgentService, client).waitProcess({ containerId: "c" });
    call.catch(() => {});
    await parked;
    await forwarder.stop();
    await assert.rejects(call, { kind: "closed" });
    await agent.untilConnections(0);
    await assert.rejects(dialTcp(forwarder.address), { kind: "peer" });
  }));

Deno.test("startForwarder() takes no more than 256 connections at a time", () =>
  withTempDir(async (dir) => {
    await using agent = await startAgent(join(dir, "agent.sock"));
    await using forwarder = await startTestForwarder(dir);
    await using clients = new AsyncDisposableStack();
    const all = [];
    for (let i = 0; i < 256; i++) all.push(clients.use(clientOver(await dialTcp(forwarder.address))));
    await Promise.all(all.map(check));
    await using tooMany = clientOver(await dialTcp(forwarder.address));
    await tooMany.closed;
    all[0]!.close();
    await agent.untilConnections(255);
    await using again = clientOver(await dialTcp(forwarder.address));
    await check(again);
  }));

Deno.test("startForwarder() refuses an agent socket path that no socket can have", async () => {
  const options = { listen: { host: "127.0.0.1", port: 0 }, rewriters: new Map(), log };
  await assert.rejects(startForwarder({ ...options, agentSocket: `/${"x".repeat(120)}` }), { kind: "config" });
});
