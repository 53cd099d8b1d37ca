// SPDX-License-Identifier: Apache-2.0
import type { MessageInitShape } from "@bufbuild/protobuf";
import { getLogger } from "@logtape/logtape";
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { AgentService } from "../../../proto/gen/agent_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../../../proto/gen/health_pb.ts";
import type { ProcessSchema } from "../../../proto/gen/oci_pb.ts";
import { dialUnix } from "../../../net/unix_socket.ts";
import { withTempDir } from "../../../testing/temp_dir.ts";
import { createTtrpcClient } from "../../../ttrpc/client.ts";
import { Code } from "../../../ttrpc/status.ts";
import { type TypedClient, typedClient } from "../../../ttrpc/typed.ts";
import { findMarked, randomMarkerValue } from "../process_identity.ts";
import { startStandInAgent } from "./stand_in_agent.ts";

const log = getLogger(["peerctl", "test"]);
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

interface Stage {
  readonly dir: string;
  readonly marker: string;
  readonly agent: TypedClient<typeof AgentService>;
  readonly health: TypedClient<typeof Health>;
  /** Creates and starts a container of one shell script. */
  run(id: string, script: string, process?: MessageInitShape<typeof ProcessSchema>): Promise<void>;
  connect(): Promise<{ agent: TypedClient<typeof AgentService>; close(): Promise<void> }>;
}

async function withAgent(body: (stage: Stage) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const marker = randomMarkerValue();
    const socketPath = `${dir}/agent.sock`;
    const standIn = await startStandInAgent({ socketPath, dir: `${dir}/agent`, marker, log });
    const connect = async () => {
      const socket = await dialUnix(socketPath);
      const client = createTtrpcClient(socket);
      return {
        agent: typedClient(AgentService, client),
        health: typedClient(Health, client),
        async close() {
          client.close();
          await client.closed;
          if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
        },
      };
    };
    const { agent, health, close } = await connect();
    try {
      await body({
        dir,
        marker,
        agent,
        health,
        connect,
        async run(id, script, process = {}) {
          const OCI = { Process: { Args: ["sh", "-c", script], Env: ["PATH=/usr/bin:/bin"], Cwd: "/", ...process } };
          await agent.createContainer({ containerId: id, execId: id, OCI });
          await agent.startContainer({ containerId: id });
        },
      });
    } finally {
      await close();
      await standIn.stop();
      await standIn.closed;
    }
    assert.deepEqual(await findMarked(`PEERCTL_VM=${marker}`), []);
  });
}

Deno.test("startStandInAgent() runs a container and gives its output and its exit code", async () => {
  await withAgent(async ({ agent, run }) => {
    await agent.createSandbox({ sandboxId: "s1" });
    await run("c1", 'echo "$GREETING from $PWD"; echo oops >&2; exit 42', { Env: ["GREETING=hello"], Cwd: "/usr" });
    const [status, out, err] = await Promise.all([
      agent.waitProcess({ containerId: "c1", execId: "c1" }),
      agent.readStdout({ containerId: "c1", execId: "c1", len: 32768 }),
      agent.readStderr({ containerId: "c1", len: 2 }),
    ]);
    assert.equal(status.status, 42);
    assert.equal(text(out.data), "hello from /usr\n");
    assert.equal(text(err.data), "oo");
    assert.equal(text((await agent.readStderr({ containerId: "c1", len: 100 })).data), "ps\n");
    assert.equal((await agent.readStdout({ containerId: "c1", len: 100 })).data.byteLength, 0);
    assert.equal((await agent.waitProcess({ containerId: "c1" })).status, 42);
    await agent.statsContainer({ containerId: "c1" });
    await agent.removeContainer({ containerId: "c1" });
    await assert.rejects(agent.waitProcess({ containerId: "c1" }), { code: Code.invalidArgument });
  });
});

Deno.test("writeStdin carries 4 MiB through a process and back, in pieces of 32 KiB", async () => {
  await withAgent(async ({ agent, run }) => {
    await run("c1", "exec cat");
    const size = 4 << 20, piece = 32 << 10;
    const sent = Buffer.alloc(size);
    for (let i = 0; i < size; i += 4) sent.writeUInt32BE((i * 2654435761) >>> 0, i);
    const write = async () => {
      for (let at = 0; at < size; at += piece) {
        const { len } = await agent.writeStdin({ containerId: "c1", data: sent.subarray(at, at + piece) });
        assert.equal(len, piece);
      }
      await agent.closeStdin({ containerId: "c1" });
    };
    const read = async () => {
      const pieces: Uint8Array[] = [];
      while (true) {
        const { data } = await agent.readStdout({ containerId: "c1", len: piece });
        if (data.byteLength === 0) return Buffer.concat(pieces);
        pieces.push(data);
      }
    };
    const [received] = await Promise.all([read(), write()]);
    assert.ok(received.equals(sent), `${received.byteLength} bytes came back`);
    assert.equal((await agent.waitProcess({ containerId: "c1" })).status, 0);
  });
});

Deno.test("execProcess and signalProcess work beside the first process", async () => {
  await withAgent(async ({ agent, run }) => {
    await run("c1", "exec sleep 1000");
    const process = { Args: ["sh", "-c", "cat; exit 7"], Env: ["PATH=/usr/bin:/bin"] };
    await agent.execProcess({ containerId: "c1", execId: "e1", process });
    await agent.writeStdin({ containerId: "c1", execId: "e1", data: bytes("ping") });
    assert.equal(text((await agent.readStdout({ containerId: "c1", execId: "e1", len: 100 })).data), "ping");
    await agent.writeStdin({ containerId: "c1", execId: "e1", data: new Uint8Array() });
    assert.equal((await agent.waitProcess({ containerId: "c1", execId: "e1" })).status, 7);
    await assert.rejects(agent.waitProcess({ containerId: "c1", execId: "e2" }), { code: Code.notFound });
    const waits = [agent.waitProcess({ containerId: "c1" }), agent.waitProcess({ containerId: "c1", execId: "c1" })];
    await agent.signalProcess({ containerId: "c1", execId: "c1", signal: 15 });
    assert.deepEqual((await Promise.all(waits)).map(({ status }) => status), [143, 143]);
  });
});

Deno.test("what it runs carries the pod VM's marker, whatever the container's environment says", async () => {
  await withAgent(async ({ agent, marker, run }) => {
    await run("c1", "setsid sh -c 'sleep 1000 & exec sleep 1000' & echo up; exec sleep 1000", {
      Env: ["PATH=/usr/bin:/bin", "PEERCTL_VM=forged", "PEERCTL_CONTAINER=forged"],
    });
    assert.equal(text((await agent.readStdout({ containerId: "c1", len: 100 })).data), "up\n");
    assert.ok((await findMarked(`PEERCTL_VM=${marker}`)).length >= 2);
    assert.deepEqual(await findMarked("PEERCTL_VM=forged"), []);
  });
});

Deno.test("getOOMEvent stays parked until the sandbox is destroyed, or its connection is gone", async () => {
  await withAgent(async ({ agent, run, connect }) => {
    const other = await connect();
    const lost = assert.rejects(other.agent.getOOMEvent({}), { kind: "closed" });
    await run("c1", "exec sleep 1000");
    const parked = assert.rejects(agent.getOOMEvent({}), { code: Code.internal });
    const waiting = agent.waitProcess({ containerId: "c1" });
    await other.close();
    await lost;
    await agent.destroySandbox({});
    await parked;
    assert.equal((await waiting).status, 137);
    await assert.rejects(agent.getOOMEvent({}), { code: Code.internal });
    await assert.rejects(agent.createSandbox({}), { code: Code.failedPrecondition });
    const OCI = { Process: { Args: ["true"] } };
    await assert.rejects(agent.createContainer({ containerId: "c2", OCI }), { code: Code.failedPrecondition });
  });
});

Deno.test("createContainer refuses what it cannot run, and says that it is a stand-in", async () => {
  await withAgent(async ({ agent, health, run }) => {
    const create = (Process: MessageInitShape<typeof ProcessSchema>) =>
      agent.createContainer({ containerId: "c1", OCI: { Process } });
    await assert.rejects(agent.createContainer({ containerId: "c1" }), { code: Code.invalidArgument });
    await assert.rejects(agent.createContainer({ containerId: "c1", OCI: {} }), { code: Code.invalidArgument });
    await assert.rejects(create({ Args: [] }), { code: Code.invalidArgument });
    await assert.rejects(create({ Args: ["a\0b"] }), { code: Code.invalidArgument });
    await assert.rejects(create({ Args: ["sh"], Terminal: true }), { code: Code.unimplemented, message: /stand-in/ });
    await assert.rejects(agent.createContainer({ containerId: "../c", OCI: { Process: { Args: ["true"] } } }), {
      code: Code.invalidArgument,
    });
    await run("c1", "exit 0");
    await assert.rejects(create({ Args: ["true"] }), { code: Code.alreadyExists });
    await assert.rejects(agent.startContainer({ containerId: "c2" }), { code: Code.invalidArgument });
    await assert.rejects(agent.readStdout({ containerId: "c1", len: 0 }), { code: Code.invalidArgument });
    const resize = agent.ttyWinResize({ containerId: "c1", row: 1, column: 1 });
    await assert.rejects(resize, { code: Code.unimplemented, message: /stand-in/ });
    await assert.rejects(agent.pauseContainer({ containerId: "c1" }), { code: Code.unimplemented });
    await agent.setPolicy({ policy: "package agent_policy" });
    assert.match((await agent.getGuestDetails({})).agentDetails?.version ?? "", /stand-in/);
    assert.match((await health.version({})).agentVersion, /stand-in/);
    assert.equal((await health.check({})).status, HealthCheckResponse_ServingStatus.SERVING);
  });
});

Deno.test("copyFile lands in the agent's own folder and nowhere else", async () => {
  await withAgent(async ({ agent, dir }) => {
    const file = { fileSize: 2n, fileMode: 0o100644, uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0, data: bytes("hi") };
    await agent.copyFile({ ...file, path: "/etc/resolv.conf" });
    assert.equal(await Deno.readTextFile(`${dir}/agent/files/etc/resolv.conf`), "hi");
    await assert.rejects(agent.copyFile({ ...file, path: "/../../escaped" }), { code: Code.invalidArgument });
    await assert.rejects(Deno.lstat(`${dir}/escaped`), Deno.errors.NotFound);
  });
});
