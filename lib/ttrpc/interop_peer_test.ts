// SPDX-License-Identifier: Apache-2.0
/** Our client against containerd/ttrpc's server, and its client against our server. */

import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CreateContainerRequestSchema,
  ReadStreamRequestSchema,
  ReadStreamResponseSchema,
  StartContainerRequestSchema,
  WaitProcessRequestSchema,
} from "../proto/gen/agent_pb.ts";
import { type GoAgent, startGoAgent } from "../testing/go_agent.ts";
import { type GoShim, startGoShim } from "../testing/go_shim.ts";
import { requirePeer } from "../testing/peers.ts";
import { untilClosed } from "../testing/spliced.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createTtrpcClient, type TtrpcClient } from "./client.ts";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import { createTtrpcServer, type UnaryHandler } from "./server.ts";
import { Code, RpcError } from "./status.ts";

const AGENT = "grpc.AgentService", HEALTH = "grpc.Health";
const NOTHING = new Uint8Array();
const SERVING = Uint8Array.of(0x08, 0x01);

/** Key and length of a field of 2 to 256 MiB, in bytes: one of key, four of length. */
const FIELD_BYTES = 5;

Deno.test({
  name: "createTtrpcClient() calls a Go server",
  ...requirePeer("go"),
  fn: () =>
    withGoAgent(async (client) => {
      await assertServing(client);
      assert.equal((await client.call(AGENT, "SetPolicy", NOTHING)).length, 0);
    }),
});

Deno.test({
  name: "createTtrpcClient() throws the status that a Go server answers with",
  ...requirePeer("go"),
  fn: () =>
    withGoAgent(async (client) => {
      const request = toBinary(WaitProcessRequestSchema, create(WaitProcessRequestSchema, { containerId: "none" }));
      await assert.rejects(
        client.call(AGENT, "WaitProcess", request),
        rpc(Code.notFound, /no process "" in container/),
      );
      await assert.rejects(client.call(AGENT, "Nope", NOTHING), rpc(Code.unimplemented, /method Nope/));
      await assert.rejects(client.call("no.Service", "Check", NOTHING), rpc(Code.unimplemented, /service no\.Service/));
      await assert.rejects(client.call(AGENT, "WaitProcess", Uint8Array.of(0x0a, 5)), rpc(Code.internal, /./));
      await assertServing(client);
    }),
});

Deno.test({
  name: "createTtrpcClient() gives up at its deadline and uses the connection on",
  ...requirePeer("go"),
  fn: () =>
    withGoAgent(async (client) => {
      await assert.rejects(client.call(AGENT, "GetOOMEvent", NOTHING, { timeoutMs: 50 }), isDeadline);
      await assertServing(client);
    }),
});

Deno.test({
  name: "createTtrpcClient() keeps a call parked while others come and go",
  ...requirePeer("go"),
  fn: () =>
    withGoAgent(async (client, agent) => {
      await runContainer(client, "c1", ["/bin/cat"]);
      const wait = toBinary(WaitProcessRequestSchema, create(WaitProcessRequestSchema, { containerId: "c1" }));
      const waiting = client.call(AGENT, "WaitProcess", wait);
      await agent.requested("WaitProcess");
      const checks = await Promise.all(Array.from({ length: 200 }, () => client.call(HEALTH, "Check", NOTHING)));
      assert.ok(checks.every((reply) => reply.length === SERVING.length));
      await client.call(AGENT, "CloseStdin", wait);
      assert.equal((await waiting).length, 0); // status 0 is not on the wire
    }),
});

Deno.test({
  name: "createTtrpcClient() takes a Go reply of just 4 MiB; one byte more ends the connection, as Go does",
  ...requirePeer("go"),
  fn: () =>
    withGoAgent(async (client) => {
      const largest = MAX_PAYLOAD_BYTES - 2 * FIELD_BYTES;
      const reply = await client.call(AGENT, "ReadStdout", zeros(largest));
      assert.equal(fromBinary(ReadStreamResponseSchema, reply).data.length, largest);
      await assert.rejects(client.call(AGENT, "ReadStdout", zeros(largest + 1)), { kind: "closed" });
      await client.closed;
    }),
});

Deno.test({
  name: "createTtrpcClient() refuses a request over 4 MiB and uses the connection on",
  ...requirePeer("go"),
  fn: () =>
    withGoAgent(async (client) => {
      await assert.rejects(client.call(AGENT, "SetPolicy", new Uint8Array(MAX_PAYLOAD_BYTES)), isTooLarge);
      await assertServing(client);
    }),
});

Deno.test({
  name: "createTtrpcServer() answers a Go client, one call and 200 at a time",
  ...requirePeer("go"),
  fn: () =>
    withGoShim({ Check: () => Promise.resolve(SERVING) }, async (shim) => {
      assert.deepEqual((await shim.check()).result, { status: "SERVING" });
      const replies = await Promise.all(Array.from({ length: 200 }, () => shim.check()));
      assert.ok(replies.every((reply) => reply.ok));
    }),
});

Deno.test({
  name: "createTtrpcServer() gives a Go client the status of what a handler threw",
  ...requirePeer("go"),
  fn: () =>
    withGoShim({
      Check: () => Promise.reject(new RpcError(Code.permissionDenied, "not you")),
      Version: () => Promise.reject(new Error("broken")),
    }, async (shim) => {
      const denied = await shim.check();
      assert.equal(denied.code, Code.permissionDenied);
      assert.match(denied.error, /not you/);
      assert.equal((await shim.call(HEALTH, "Version")).code, Code.unknown);
    }),
});

Deno.test({
  name: "createTtrpcServer() answers a Go client's unknown method and service with UNIMPLEMENTED",
  ...requirePeer("go"),
  fn: () =>
    withGoShim({ Check: () => Promise.resolve(SERVING) }, async (shim) => {
      assert.equal((await shim.call(HEALTH, "Version")).code, Code.unimplemented);
      assert.equal((await shim.call(AGENT, "SetPolicy")).code, Code.unimplemented);
      assert.ok((await shim.check()).ok);
    }),
});

Deno.test({
  name: "createTtrpcServer() tells a handler a Go client's deadline, and aborts it then",
  ...requirePeer("go"),
  fn: async () => {
    const timeoutMs = 100;
    const seen = Promise.withResolvers<{ timeoutNanos: bigint }>();
    const handler: UnaryHandler = async (_, { signal, timeoutNanos }) => {
      await aborted(signal);
      seen.resolve({ timeoutNanos });
      throw signal.reason;
    };
    await withGoShim({ Check: handler }, async (shim) => {
      const reply = await shim.check({ timeoutMs });
      assert.match(reply.error, /context deadline exceeded|deadline/i);
      const { timeoutNanos } = await seen.promise;
      assert.ok(timeoutNanos > 0n && timeoutNanos <= BigInt(timeoutMs) * 1_000_000n, `${timeoutNanos} ns`);
    });
  },
});

Deno.test({
  name: "createTtrpcServer() aborts a parked call when the Go client goes away",
  ...requirePeer("go"),
  fn: async () => {
    const parked = Promise.withResolvers<void>(), gone = Promise.withResolvers<void>();
    const handler: UnaryHandler = async (_, { signal }) => {
      parked.resolve();
      await aborted(signal);
      gone.resolve();
      return NOTHING;
    };
    await withGoShim({ Check: handler }, async (shim) => {
      const check = shim.check();
      await parked.promise;
      await shim.disconnect();
      await gone.promise;
      assert.match((await check).error, /ttrpc: closed/);
    });
  },
});

Deno.test({
  name: "createTtrpcServer() answers a Go client with a status when the reply is over 4 MiB, and serves on",
  ...requirePeer("go"),
  fn: () =>
    withGoShim({
      Check: () => Promise.resolve(SERVING),
      Version: () => Promise.resolve(new Uint8Array(MAX_PAYLOAD_BYTES)),
    }, async (shim) => {
      // A request over the limit never leaves the Go client.
      const oversized = await shim.call(HEALTH, "Check", { service: "s".repeat(MAX_PAYLOAD_BYTES) });
      assert.equal(oversized.ok, false);
      assert.equal((await shim.call(HEALTH, "Version")).code, Code.resourceExhausted);
      assert.ok((await shim.check()).ok);
    }),
});

/** Runs `body` with our client on a connection to a new Go agent. */
async function withGoAgent(body: (client: TtrpcClient, agent: GoAgent) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const socket = join(dir, "agent.sock");
    const agent = await startGoAgent({ socket, dir });
    const connection = net.connect(socket);
    const closed = untilClosed(connection);
    try {
      await once(connection, "connect");
      const client = createTtrpcClient(connection);
      await body(client, agent);
      client.close();
      await client.closed;
    } finally {
      connection.destroy();
      await closed;
      await agent.stop();
    }
  });
}

/** Runs `body` with a new Go shim that is connected to our server, which has these methods of Health. */
async function withGoShim(
  methods: Record<string, UnaryHandler>,
  body: (shim: GoShim) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const socket = join(dir, "agent.ttrpc");
    const services = new Map([[HEALTH, new Map(Object.entries(methods))]]);
    const server = createTtrpcServer({ services, log: getLogger("test") });
    const closing: Promise<unknown>[] = [];
    const listener = net.createServer((connection) => {
      closing.push(untilClosed(connection));
      server.serve(connection);
    });
    listener.listen(socket);
    await once(listener, "listening");
    const shim = await startGoShim({ socket: join(dir, "none.sock") });
    try {
      assert.ok((await shim.connect(socket)).ok);
      await body(shim);
    } finally {
      await shim.stop();
      server.close();
      listener.close();
      await Promise.all([once(listener, "close"), ...closing]);
    }
  });
}

async function runContainer(client: TtrpcClient, containerId: string, args: string[]): Promise<void> {
  const container = create(CreateContainerRequestSchema, { containerId, OCI: { Process: { Args: args, Cwd: "/" } } });
  await client.call(AGENT, "CreateContainer", toBinary(CreateContainerRequestSchema, container));
  const started = create(StartContainerRequestSchema, { containerId });
  await client.call(AGENT, "StartContainer", toBinary(StartContainerRequestSchema, started));
}

async function assertServing(client: TtrpcClient): Promise<void> {
  assert.deepEqual([...await client.call(HEALTH, "Check", NOTHING)], [...SERVING]);
}

/** Asks the Go agent for this many bytes. */
function zeros(bytes: number): Uint8Array {
  return toBinary(ReadStreamRequestSchema, create(ReadStreamRequestSchema, { containerId: "zeros", len: bytes }));
}

function rpc(code: number, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof RpcError && error.code === code && message.test(error.message);
}

/** A deadline is the server's status or the client's own timer, whichever was first. */
const isDeadline = (error: Error & { kind?: string; code?: number }) =>
  error.kind === "timeout" || error.code === Code.deadlineExceeded;

const isTooLarge = (error: Error & { kind?: string; code?: number }) =>
  error.kind === "limit" || error.code === Code.resourceExhausted;

/** Resolves when `signal` aborts. */
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve()));
