// SPDX-License-Identifier: Apache-2.0
import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { encodeCloudConfig } from "../../guest/user_data.ts";
import { retry } from "../../net/retry.ts";
import { dialTcp } from "../../net/tcp.ts";
import { AgentService } from "../../proto/gen/agent_pb.ts";
import { withTempDir } from "../../testing/temp_dir.ts";
import { createTtrpcClient } from "../../ttrpc/client.ts";
import { typedClient } from "../../ttrpc/typed.ts";
import { findMarked } from "./process_identity.ts";
import { createProcessProvider } from "./process_provider.ts";
import { readRecord } from "./vm_record.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
const never = new AbortController().signal;

Deno.test("a pod VM boots with peerctl's own commands, and its workload cannot outlive it", async () => {
  await withTempDir(async (stateDir) => {
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    const provider = createProcessProvider({
      stateDir,
      installationId: "i",
      nodeName: "n",
      selfCommand: [Deno.execPath(), "run", "-A", MAIN],
      agentCommand: [],
      forwarderFlags: ["-disable-tls"],
      forwarderPort: port,
      env: Deno.env.toObject(),
      log: getLogger(["peerctl", "test"]),
    });
    await provider.verifyConfig();
    const { id, addresses: [host = ""] } = await provider.create({
      sandboxId: "s1",
      podName: "p",
      podNamespace: "default",
      instanceName: "podvm-p-s1",
      userData: encodeCloudConfig([{ path: "/run/peerpod/apf.json", content: '{"pod-network":null}' }]),
      spec: { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" },
      idempotencyKey: "k",
    }, never);
    const record = await readRecord(`${stateDir}/${id}`);
    try {
      const socket = await retry(() => dialTcp({ host, port }), { timeoutMs: 30_000, firstDelayMs: 20 });
      const client = createTtrpcClient(socket);
      const agent = typedClient(AgentService, client);
      const script = 'setsid sh -c "(setsid sleep 1000 &) & exec sleep 1000" & echo up; exec sleep 1000';
      const OCI = { Process: { Args: ["sh", "-c", script], Env: ["PATH=/usr/bin:/bin"] }, Linux: {} };
      await agent.createContainer({ containerId: "c1", OCI });
      await agent.startContainer({ containerId: "c1" });
      const { data } = await agent.readStdout({ containerId: "c1", len: 100 });
      assert.equal(new TextDecoder().decode(data), "up\n");
      await provider.delete(id, never);
      await client.closed;
    } finally {
      await provider.delete(id, never);
    }
    assert.deepEqual(await findMarked(`PEERCTL_VM=${record?.marker}`), []);
    assert.deepEqual(Array.from(Deno.readDirSync(stateDir)), []);
  });
});
