// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { AgentService } from "../lib/proto/gen/agent_pb.ts";
import { findMarked, randomMarkerValue } from "../lib/provider/process/process_identity.ts";
import { runPeerctl, startPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";
import { typedClient } from "../lib/ttrpc/typed.ts";

Deno.test("stand-in-agent says in its help and its log what it is, and leaves nothing running", async () => {
  const help = await runPeerctl(["stand-in-agent", "-help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /NOT a kata-agent/);
  const list = await runPeerctl(["help"]);
  assert.doesNotMatch(list.stdout + list.stderr, /stand-in-agent/);

  await withTempDir(async (dir) => {
    const socketPath = `${dir}/agent.sock`;
    const value = randomMarkerValue();
    await using process = startPeerctl(["stand-in-agent", "-listen", socketPath, "-dir", `${dir}/agent`], {
      env: { PEERCTL_VM: value },
    });
    await process.waitForLine(/not a kata-agent; runs processes without isolation/i);
    const socket = await dialUnix(socketPath);
    const client = createTtrpcClient(socket);
    const agent = typedClient(AgentService, client);
    const script = "setsid sh -c 'sleep 1000 & exec sleep 1000' & echo up; exec sleep 1000";
    const OCI = { Process: { Args: ["sh", "-c", script], Env: ["PATH=/usr/bin:/bin"] } };
    await agent.createContainer({ containerId: "c1", OCI });
    await agent.startContainer({ containerId: "c1" });
    const { data } = await agent.readStdout({ containerId: "c1", len: 100 });
    assert.equal(new TextDecoder().decode(data), "up\n");
    assert.equal(await process.stop("SIGTERM"), 0);
    await client.closed;
    assert.deepEqual(await findMarked(`PEERCTL_VM=${value}`), []);
    await assert.rejects(Deno.lstat(socketPath), Deno.errors.NotFound);
  });
});

Deno.test("stand-in-agent reports a missing flag and a socket that cannot be, with one line each", async () => {
  const missing = await runPeerctl(["stand-in-agent", "-dir", "/nonexistent"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /Cannot run without -listen/);
  await withTempDir(async (dir) => {
    const args = ["stand-in-agent", "-listen", dir, "-dir", `${dir}/agent`];
    const directory = await runPeerctl(args);
    assert.equal(directory.code, 1);
    assert.match(directory.stderr, /Cannot use .* a directory/);
  });
});
