// SPDX-License-Identifier: Apache-2.0
/** apf between the Go proxy, which stands in for cloud-api-adaptor's, and the Go agent. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type AgentSequenceOptions, assertAgentSaw, playAgentSequence } from "../lib/testing/agent_sequence.ts";
import { startGoAgent } from "../lib/testing/go_agent.ts";
import { startGoShim } from "../lib/testing/go_shim.ts";
import { type GoProxy, startGoProxy } from "../lib/testing/go_tls_peers.ts";
import { type CertificateFiles, makeOpensslFiles } from "../lib/testing/openssl_files.ts";
import { requirePeer } from "../lib/testing/peers.ts";
import { type PeerctlProcess, startPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

Deno.test({
  name: "apf serves the Go proxy over automatic mutual TLS, with the certificates that the proxy made",
  ...requirePeer("go"),
  fn: () =>
    withTempDir(async (dir) => {
      await using stack = new AsyncDisposableStack();
      const proxy = await startProxy(stack, dir, "podvm-web-0a1b2c3d", []);
      await runContainer(stack, dir, proxy, { config: await proxy.certificates(), args: [] });
    }),
});

Deno.test({
  name: "apf serves the Go proxy over mutual TLS with files of openssl, and refuses one with a client of another CA",
  ignore: requirePeer("go").ignore || requirePeer("openssl").ignore,
  fn: () =>
    withTempDir(async (dir) => {
      await using stack = new AsyncDisposableStack();
      const [known, foreign] = await Promise.all(["known", "foreign"].map(async (name) => {
        await Deno.mkdir(join(dir, name));
        return await makeOpensslFiles(join(dir, name));
      })) as [CertificateFiles, CertificateFiles];
      const proxy = await startProxy(stack, dir, "podvm-server", files(known.ca, known.client));
      const apf = await runContainer(stack, dir, proxy, { config: {}, args: files(known.ca, known.server) });

      await Deno.mkdir(join(dir, "other"));
      const other = await startProxy(stack, join(dir, "other"), "podvm-server", files(known.ca, foreign.client));
      await other.dial(apf.address);
      const shim = stack.adopt(await startGoShim({ socket: "none" }), stop);
      await shim.connect(join(dir, "other/agent.ttrpc"));
      assert.match((await shim.check()).error, /ttrpc: closed/);
      await apf.process.waitForLine(/"TLS client refused".*certificate cannot be verified/);
    }),
});

/** Starts apf and the agent, joins them with the proxy and has the Go shim run a container; answers apf. */
async function runContainer(
  stack: AsyncDisposableStack,
  dir: string,
  proxy: GoProxy,
  apf: { config: Record<string, string>; args: readonly string[] },
): Promise<{ process: PeerctlProcess; address: { host: string; port: number } }> {
  const agentSocket = join(dir, "agent.sock"), config = join(dir, "apf.json");
  const agent = stack.adopt(await startGoAgent({ socket: agentSocket, dir: join(dir, "files") }), stop);
  const whole = { "pod-network": null, "pod-namespace": "default", "pod-name": "web", ...apf.config };
  await Deno.writeTextFile(config, JSON.stringify(whole), { mode: 0o600 });
  const flags = ["-config", config, "-listen", "127.0.0.1:0", "-kata-agent-socket", agentSocket];
  const process = stack.use(startPeerctl(["apf", ...flags, ...apf.args]));
  const address = JSON.parse(await process.waitForLine(/"message":"Serving"/));
  await proxy.dial(address);

  const shim = stack.adopt(await startGoShim({ socket: "none" }), stop);
  const sequence: AgentSequenceOptions = {
    sandboxId: "0a1b2c3d4e5f",
    socket: join(dir, "agent.ttrpc"),
    bindSource: join(dir, "bind/source"),
  };
  const file = await playAgentSequence(shim, sequence);
  assert.deepEqual(await Deno.readFile(join(dir, "files/copied/file")), file);
  assertAgentSaw(agent.requests(), sequence);
  assert.deepEqual(process.lines.filter((line) => /"level":"(warn|error)"/.test(line)), []);
  return { process, address };
}

async function startProxy(stack: AsyncDisposableStack, dir: string, serverName: string, args: readonly string[]) {
  return stack.adopt(await startGoProxy({ socket: join(dir, "agent.ttrpc"), serverName, args }), stop);
}

function files(ca: string, own: { cert: string; key: string }): string[] {
  return ["-ca-cert-file", ca, "-cert-file", own.cert, "-cert-key", own.key];
}

const stop = (peer: { stop(): Promise<void> }) => peer.stop();
