// SPDX-License-Identifier: Apache-2.0
/** The Go peers work with one another, so that a failure against ours is ours. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Code } from "../ttrpc/status.ts";
import { readAgentRecord, startGoAgent } from "./go_agent.ts";
import { startGoShim } from "./go_shim.ts";
import { startGoForwarder, startGoProxy } from "./go_tls_peers.ts";
import { type CertificateFiles, makeOpensslFiles } from "./openssl_files.ts";
import { goPeer, requirePeer } from "./peers.ts";
import { withTempDir } from "./temp_dir.ts";

const NETNS = "/run/netns/podns";

/** SIGKILL, and what a process that got it exits with. */
const KILL = 9, KILLED = 128 + KILL;

Deno.test({
  name: "Go shim, proxy, forwarder and agent run a container over mutual TLS with certificates of their own",
  ...requirePeer("go"),
  fn: () =>
    withTempDir(async (dir) => {
      const socket = join(dir, "agent.ttrpc"), agentSocket = join(dir, "agent.sock"), config = join(dir, "apf.json");
      await using stack = new AsyncDisposableStack();
      const agent = stack.adopt(await startGoAgent({ socket: agentSocket, dir: join(dir, "files") }), stop);
      const proxy = stack.adopt(await startGoProxy({ socket, serverName: "podvm-pod-1" }), stop);
      await Deno.writeTextFile(config, JSON.stringify(await proxy.certificates()), { mode: 0o600 });
      const forwarder = stack.adopt(await startGoForwarder({ config, agentSocket, netns: NETNS }), stop);
      await proxy.dial(forwarder);
      const shim = stack.adopt(await startGoShim({ socket: join(dir, "none.sock") }), stop);

      await shim.connect(socket);
      assert.deepEqual((await shim.check()).result, { status: "SERVING" });
      await shim.startChecks(20);
      assert.ok((await shim.createSandbox({ id: "s1", dns: ["nameserver 192.0.2.1"] })).ok);
      const args = ["/bin/sh", "-c", "cat; echo done >&2; exit 7"];
      assert.ok((await shim.createContainer({ id: "c1", args, annotations: { a: "b" } })).ok);
      assert.ok((await shim.startContainer("c1")).ok);
      const waiting = shim.waitProcess("c1");
      const oom = shim.getOOMEvent();
      await agent.requested("GetOOMEvent");
      await agent.oom("c1");
      assert.deepEqual((await oom).result, { container_id: "c1" });

      await shim.writeStdin("c1", new TextEncoder().encode("to stdin"));
      assert.equal(new TextDecoder().decode((await shim.readStdout("c1")).result), "to stdin");
      await shim.exec("c1", "e1", ["/bin/sleep", "60"]);
      await shim.signal("c1", KILL, "e1");
      assert.equal((await shim.waitProcess("c1", { execId: "e1" })).result.status, KILLED);
      await shim.closeStdin("c1");
      assert.equal(new TextDecoder().decode((await shim.readStderr("c1")).result), "done\n");
      assert.equal((await shim.readStdout("c1")).result.length, 0);
      assert.equal((await waiting).result.status, 7);

      const file = crypto.getRandomValues(new Uint8Array(65_536));
      assert.ok((await shim.copyFile("/etc/f", file)).ok);
      assert.deepEqual(await Deno.readFile(join(dir, "files/etc/f")), file);
      await shim.checked(3);
      assert.ok((await shim.destroySandbox()).ok);

      assert.equal(agent.requests("CreateSandbox")[0]?.request.dns, undefined);
      const [created] = agent.requests("CreateContainer");
      assert.deepEqual(created?.request.OCI.Annotations, { a: "b" });
      const namespaces = [{ Type: "ipc" }, { Type: "network", Path: NETNS }];
      assert.deepEqual(created?.request.OCI.Linux.Namespaces, namespaces);
    }),
});

Deno.test({
  name: "Go proxy refuses a forwarder that has another CA",
  ...requirePeer("go"),
  fn: () =>
    withTempDir(async (dir) => {
      const config = join(dir, "apf.json");
      await using stack = new AsyncDisposableStack();
      const agent = { socket: join(dir, "agent.sock"), dir };
      stack.adopt(await startGoAgent(agent), stop);
      const known = stack.adopt(await startGoProxy({ socket: join(dir, "a"), serverName: "vm" }), stop);
      await Deno.writeTextFile(config, JSON.stringify(await known.certificates()), { mode: 0o600 });
      const forwarder = stack.adopt(
        await startGoForwarder({ config, agentSocket: agent.socket, netns: NETNS }),
        stop,
      );
      const foreign = stack.adopt(await startGoProxy({ socket: join(dir, "b"), serverName: "vm" }), stop);
      await assert.rejects(foreign.dial(forwarder), /certificate signed by unknown authority/);
    }),
});

Deno.test({
  name: "Go proxy and forwarder take certificate files, and the forwarder refuses a client of another CA",
  ignore: requirePeer("go").ignore || requirePeer("openssl").ignore,
  fn: () =>
    withTempDir(async (dir) => {
      const socket = join(dir, "agent.ttrpc"), agentSocket = join(dir, "agent.sock"), config = join(dir, "apf.json");
      const [known, foreign] = await Promise.all(["known", "foreign"].map(async (name) => {
        await Deno.mkdir(join(dir, name));
        return await makeOpensslFiles(join(dir, name));
      })) as [CertificateFiles, CertificateFiles];
      await Deno.writeTextFile(config, "{}");
      await using stack = new AsyncDisposableStack();
      const agent = stack.adopt(await startGoAgent({ socket: agentSocket, dir }), stop);
      const args = ["-ca-cert-file", known.ca, "-cert-file", known.server.cert, "-cert-key", known.server.key];
      const forwarder = stack.adopt(await startGoForwarder({ config, agentSocket, netns: NETNS, args }), stop);
      const startProxy = async (socket: string, client: CertificateFiles["client"]) => {
        const args = ["-ca-cert-file", known.ca, "-cert-file", client.cert, "-cert-key", client.key];
        return stack.adopt(await startGoProxy({ socket, serverName: "podvm-server", args }), stop);
      };
      const proxy = await startProxy(socket, known.client);
      await proxy.dial(forwarder);
      const shim = stack.adopt(await startGoShim({ socket: join(dir, "none.sock") }), stop);
      await shim.connect(socket);
      const gpus = { "io.katacontainers.config.hypervisor.default_gpus": "1" };
      assert.ok((await shim.createContainer({ id: "c1", args: ["/bin/true"], annotations: gpus })).ok);
      const [created] = agent.requests("CreateContainer");
      assert.equal(created?.request.OCI.Annotations["cdi.k8s.io/peer-pods"], "nvidia.com/gpu=all");

      // With TLS 1.3 a client learns of its refusal only after the handshake: at its first call.
      const stranger = await startProxy(join(dir, "stranger.ttrpc"), foreign.client);
      await stranger.dial(forwarder);
      const other = stack.adopt(await startGoShim({ socket: join(dir, "none.sock") }), stop);
      await other.connect(join(dir, "stranger.ttrpc"));
      assert.equal((await other.check()).ok, false);
      assert.ok((await shim.check()).ok);
    }),
});

Deno.test({
  name: "Go agent with -stay and -record outlives its stdin, keeps requests to its owner and ends at SIGTERM",
  ...requirePeer("go"),
  fn: () =>
    withTempDir(async (dir) => {
      const socket = join(dir, "agent.sock"), record = join(dir, "record.jsonl");
      const args = ["-stay", "-record", record, "-socket", socket, "-dir", dir];
      const agent = new Deno.Command(await goPeer("agent"), { args, stdin: "null", stdout: "null" }).spawn();
      const shim = await startGoShim({ socket: "none" });
      try {
        assert.ok((await shim.connect(socket)).ok);
        assert.equal((await shim.writeStdin("c1", new Uint8Array(3))).code, Code.notFound);
        assert.equal((await shim.call("grpc.AgentService", "PauseContainer")).code, Code.unimplemented);
        assert.deepEqual((await readAgentRecord(record)).map(({ method, dataLength }) => [method, dataLength]), [
          ["WriteStdin", 3],
          ["PauseContainer", undefined],
        ]);
        assert.equal((await Deno.stat(record)).mode! & 0o777, 0o600);
      } finally {
        agent.kill("SIGTERM");
        assert.equal((await agent.status).code, 0);
        await shim.stop();
      }
      await assert.rejects(Deno.lstat(socket), Deno.errors.NotFound);
    }),
});

const stop = (peer: { stop(): Promise<void> }) => peer.stop();
