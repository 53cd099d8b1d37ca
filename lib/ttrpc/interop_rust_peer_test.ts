// SPDX-License-Identifier: Apache-2.0
/** Our client against the server of the Rust ttrpc crate, which kata-agent links. */

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetDiagnosticDataRequestSchema } from "../proto/gen/agent_pb.ts";
import { requirePeer } from "../testing/peers.ts";
import { type RustAgent, startRustAgent } from "../testing/rust_agent.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createTtrpcClient, type TtrpcClient } from "./client.ts";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import { Code, RpcError } from "./status.ts";

const AGENT = "grpc.AgentService", HEALTH = "grpc.Health";
const NOTHING = new Uint8Array();

Deno.test({
  name: "createTtrpcClient() takes a Rust reply, whose status is present though empty",
  ...requirePeer("cargo"),
  fn: () =>
    withRustAgent(async (client) => {
      await assertServing(client);
      assert.equal((await client.call(AGENT, "SetPolicy", NOTHING)).length, 0);
    }),
});

Deno.test({
  name: "createTtrpcClient() throws the status that a Rust server answers with",
  ...requirePeer("cargo"),
  fn: () =>
    withRustAgent(async (client) => {
      await assert.rejects(client.call(AGENT, "WaitProcess", NOTHING), rpc(Code.notFound));
      await assert.rejects(client.call(AGENT, "Nope", NOTHING), rpc(Code.unimplemented));
      await assert.rejects(client.call("no.Service", "Check", NOTHING), rpc(Code.invalidArgument));
      await assertServing(client);
    }),
});

Deno.test({
  name: "createTtrpcClient() uses the connection on when a Rust reply was over 4 MiB",
  ...requirePeer("cargo"),
  fn: () =>
    withRustAgent(async (client) => {
      const wanted = create(GetDiagnosticDataRequestSchema, { logType: String(MAX_PAYLOAD_BYTES) });
      const request = toBinary(GetDiagnosticDataRequestSchema, wanted);
      await assert.rejects(client.call(AGENT, "GetDiagnosticData", request), rpc(Code.invalidArgument));
      await assertServing(client);
    }),
});

Deno.test({
  name: "createTtrpcClient() gives up at its deadline, and a Rust server drops the handler then",
  ...requirePeer("cargo"),
  fn: () =>
    withRustAgent(async (client, agent) => {
      await assert.rejects(client.call(AGENT, "GetOOMEvent", NOTHING, { timeoutMs: 50 }), isDeadline);
      await agent.dropped();
      await assertServing(client);
    }),
});

Deno.test({
  name: "close() of a client makes a Rust server drop a parked call",
  ...requirePeer("cargo"),
  fn: () =>
    withRustAgent(async (client, agent) => {
      const refused = assert.rejects(client.call(AGENT, "GetOOMEvent", NOTHING), { kind: "closed" });
      await agent.parked();
      client.close();
      await refused;
      await agent.dropped();
    }),
});

/** Runs `body` with our client on a connection to a new Rust agent. */
async function withRustAgent(body: (client: TtrpcClient, agent: RustAgent) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const socket = join(dir, "agent.sock");
    const agent = await startRustAgent({ socket });
    const connection = net.connect(socket);
    const closed = once(connection, "close");
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

async function assertServing(client: TtrpcClient): Promise<void> {
  assert.deepEqual([...await client.call(HEALTH, "Check", NOTHING)], [8, 1]);
}

const rpc = (code: number) => (error: unknown) => error instanceof RpcError && error.code === code;

const isDeadline = (error: Error & { kind?: string; code?: number }) =>
  error.kind === "timeout" || error.code === Code.deadlineExceeded;
