// SPDX-License-Identifier: Apache-2.0
/** caa, relay and apf between the Go shim and the Go agent; no part of the two is ours but in name. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assertAgentSaw, assertOk, CHECK_INTERVAL_MS, playAgentSequence } from "../lib/testing/agent_sequence.ts";
import { type CaaNode, countProcesses, POD_ANNOTATIONS, withCaaNode } from "../lib/testing/caa_node.ts";
import { type GoShim, startGoShim } from "../lib/testing/go_shim.ts";
import { makeOpensslFiles } from "../lib/testing/openssl_files.ts";
import { goPeer, requirePeer } from "../lib/testing/peers.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { Code } from "../lib/ttrpc/status.ts";

/** A relay without sandboxes ends within 3,000 ms; the rest is for a busy machine. */
const RELAY_END_MS = 10_000;

const ID = "0a1b2c3d4e5f", NETNS_OF_POD = "/run/netns/cni-1";

Deno.test({
  name: "caa runs a container of the Go shim through relay, mutual TLS and apf on the Go agent, and leaves nothing",
  ...requirePeer("go"),
  fn: () => withCaaNode(() => [], runPod),
});

Deno.test({
  name: "caa runs the Go shim's own sequence",
  ...requirePeer("go"),
  fn: () =>
    withCaaNode(() => [], async (node) => {
      const command = new Deno.Command(await goPeer("shim"), { args: ["run", "-socket", node.socket] });
      const { code, stdout, stderr } = await command.output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      const steps = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line))
        .filter((line) => line.step !== undefined);
      assert.ok(steps.every((step) => step.ok));
      assert.deepEqual([steps.length, steps[0].step, steps.at(-1).step], [11, "CreateVM", "StopVM"]);
      await assertNothingLeft(node);
    }),
});

Deno.test({
  name: "caa reaches a pod VM with the Go forwarder, over automatic mutual TLS",
  ...requirePeer("go"),
  fn: () => withCaaNode(goForwarder, runPod),
});

Deno.test({
  name: "caa reaches a pod VM with the Go forwarder, over mutual TLS with files of openssl",
  ignore: requirePeer("go").ignore || requirePeer("openssl").ignore,
  fn: () =>
    withCaaNode(async (dir) => {
      const { ca, client, server } = await makeOpensslFiles(dir);
      return [...await goForwarder(), ...manualTls(ca, client, server)];
    }, runPod),
});

Deno.test({
  name: "caa reaches a pod VM with apf over mutual TLS with the files of certgen",
  ...requirePeer("go"),
  fn: () =>
    withCaaNode(async (dir) => {
      const made = await runPeerctl(["certgen", "--san", "podvm-server", "--out-dir", dir]);
      assert.equal(made.code, 0, made.stderr);
      const pair = (name: string) => ({ cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) });
      return manualTls(join(dir, "ca.crt"), pair("client"), pair("tls"));
    }, runPod),
});

/** What goes wrong with the certificates of a Go forwarder, and the reason that StartVM then gives. */
const UNFIT = {
  "a certificate of another CA": { server: "foreign", clientCa: "known", reason: /issued by another CA/ },
  "another name": { server: "misnamed", clientCa: "misnamed", reason: /not for "podvm-server"/ },
  "another client CA": { server: "known", clientCa: "foreign", reason: /CA of our certificate/ },
} as const;

for (const [what, { server, clientCa, reason }] of Object.entries(UNFIT)) {
  Deno.test({
    name: `caa fails StartVM at once, and takes the pod VM back, when its Go forwarder has ${what}`,
    ignore: requirePeer("go").ignore || requirePeer("openssl").ignore,
    fn: () =>
      withCaaNode(async (dir) => {
        const make = async (name: string, serverName: string) => {
          await Deno.mkdir(join(dir, name));
          return [name, await makeOpensslFiles(join(dir, name), serverName)] as const;
        };
        const made = Object.fromEntries([
          await make("known", "podvm-server"),
          await make("foreign", "podvm-server"),
          await make("misnamed", "podvm-0"),
        ]);
        const ours = server === "misnamed" ? made.misnamed! : made.known!;
        const own = { ...made[server]!.server, ca: made[clientCa]!.ca };
        return [...await goForwarder(), ...manualTls(ours.ca, ours.client, own)];
      }, (node) =>
        withShim(node, async (shim) => {
          assertOk(await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS }));
          const reply = await shim.startVM(ID, { timeoutMs: 60_000 });
          assert.deepEqual([reply.ok, reply.code], [false, Code.unauthenticated], reply.error);
          assert.match(reply.error, reason);
          assert.deepEqual(await node.instances(), []);
          assertOk(await shim.stopVM(ID));
        })),
  });
}

Deno.test({
  name: "caa may be killed and started again: no call and no check of the shim fails, and the pod can be stopped",
  ...requirePeer("go"),
  fn: () =>
    withCaaNode(() => [], (node) =>
      withShim(node, async (shim) => {
        const pod = { id: ID, annotations: POD_ANNOTATIONS, netns: NETNS_OF_POD };
        const { agentSocketPath } = assertOk(await shim.createVM(pod));
        assertOk(await shim.startVM(ID));
        const named = { podName: "web", podNamespace: "default" };
        const info = assertOk(await shim.getInfo(named));
        assertOk(await shim.connect(agentSocketPath));
        assertOk(await shim.createContainer({ id: "c1", args: ["/bin/sh", "-c", "cat; exit 7"] }));
        assertOk(await shim.startContainer("c1"));
        const waiting = shim.waitProcess("c1");
        const reading = shim.readStdout("c1");
        assertOk(await shim.startChecks(CHECK_INTERVAL_MS));
        await shim.checked(5);

        await node.caa.kill();
        // Some checks go by while there is no caa at all.
        await shim.checked((await shim.stats()).checksOk + 5);
        await node.restart();
        await shim.checked((await shim.stats()).checksOk + 5);

        assertOk(await shim.writeStdin("c1", new TextEncoder().encode("still here")));
        assert.equal(new TextDecoder().decode(assertOk(await reading)), "still here");
        assert.deepEqual(assertOk(await shim.createVM(pod)), { agentSocketPath });
        assert.deepEqual(assertOk(await shim.getInfo(named)), info);
        assertOk(await shim.closeStdin("c1"));
        assert.deepEqual(assertOk(await waiting), { status: 7 });
        assert.equal((await shim.stats()).checksFailed, 0);

        const [instance] = await node.instances();
        assert.ok(instance !== undefined && await countProcesses(instance.record) > 0);
        assertOk(await shim.stopVM(ID));
        await shim.agentClosed();
        assert.equal(await countProcesses(instance.record), 0);
        await assertNothingLeft(node);
      })),
});

Deno.test({
  name: "caa answers what a shim does wrong with a code and a reason, and goes on",
  ...requirePeer("go"),
  fn: () =>
    withCaaNode(() => [], (node) =>
      withShim(node, async (shim) => {
        const create = (id: string, annotations: Record<string, string> = POD_ANNOTATIONS) =>
          shim.createVM({ id, annotations, netns: NETNS_OF_POD });
        const { "io.kubernetes.cri.sandbox-name": _, ...nameless } = POD_ANNOTATIONS;
        const refused = async (call: ReturnType<typeof create>, code: number, message: RegExp) => {
          const reply = await call;
          assert.deepEqual([reply.ok, reply.code], [false, code], reply.error);
          assert.match(reply.error, message);
        };
        await refused(shim.startVM(ID), Code.notFound, /CreateVM has to come first/);
        await refused(create(""), Code.invalidArgument, /sandbox id/);
        await refused(create("../x"), Code.invalidArgument, /sandbox id/);
        await refused(shim.startVM("../x"), Code.notFound, /no such sandbox/);
        await refused(shim.stopVM("../x"), Code.invalidArgument, /sandbox id/);
        await refused(shim.stopVM(""), Code.invalidArgument, /sandbox id/);
        await refused(create(ID, nameless), Code.invalidArgument, /"io.kubernetes.cri.sandbox-name" is missing/);
        assertOk(await shim.stopVM("never-seen"));

        const { agentSocketPath } = assertOk(await create(ID));
        assert.deepEqual(assertOk(await create(ID)), { agentSocketPath });
        const otherPod = { ...POD_ANNOTATIONS, "io.kubernetes.cri.sandbox-name": "other" };
        await refused(create(ID, otherPod), Code.alreadyExists, /belongs to pod "default\/web"/);
        assertOk(await shim.startVM(ID));
        assertOk(await shim.startVM(ID));
        assertOk(await shim.stopVM(ID, { timeoutMs: 10_000 }));
        assertOk(await shim.stopVM(ID));
        await refused(shim.startVM(ID), Code.notFound, /no such sandbox/);
        await assertNothingLeft(node);
      })),
});

/** One pod of the Go shim from CreateVM to StopVM. */
function runPod(node: CaaNode): Promise<void> {
  return withShim(node, async (shim) => {
    const { agentSocketPath: socket } = assertOk(
      await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS, netns: NETNS_OF_POD }),
    );
    assertOk(await shim.startVM(ID));
    const [instance] = await node.instances();
    assert.ok(instance !== undefined && await countProcesses(instance.record) > 0);
    const sequence = { sandboxId: ID, socket, bindSource: join(node.dir, "bind/source") };
    const file = await playAgentSequence(shim, sequence);
    assert.deepEqual(await Deno.readFile(join(instance.folder, "files/copied/file")), file);
    assertAgentSaw(await node.requests(), sequence);

    assertOk(await shim.stopVM(ID));
    await shim.agentClosed();
    assert.equal(await countProcesses(instance.record), 0);
    await assertNothingLeft(node);
  });
}

async function withShim(node: CaaNode, body: (shim: GoShim) => Promise<void>): Promise<void> {
  const shim = await startGoShim({ socket: node.socket });
  try {
    await body(shim);
  } finally {
    await shim.stop();
  }
}

/** No pod VM, no agent socket and no relay after a while; then also no socket of caa. */
async function assertNothingLeft(node: CaaNode): Promise<void> {
  assert.deepEqual(await node.instances(), []);
  assert.deepEqual(visible(node.podsDir), []);
  await node.relayEnded(RELAY_END_MS);
  assert.equal(await node.caa.stop(), 0);
  assert.deepEqual(visible(node.dir).filter((name) => name.endsWith(".sock")), []);
  assert.deepEqual(visible(join(node.dir, "relay/0")).filter((name) => name.endsWith(".sock")), []);
}

const visible = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).filter((n) => !n.startsWith("."));

async function goForwarder(): Promise<string[]> {
  return ["-forwarder-command", `'${await goPeer("forwarder")}' -stay`];
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What caa and its forwarders are started with; a server may trust clients of another CA than caa trusts servers of. */
function manualTls(ca: string, client: Pair, server: Pair & { readonly ca?: string }): string[] {
  const flags = (own: Pair, ca: string) => ["-ca-cert-file", ca, "-cert-file", own.cert, "-cert-key", own.key];
  const words = flags(server, server.ca ?? ca).map((word) => `'${word}'`);
  return [...flags(client, ca), "-forwarder-options", words.join(" ")];
}
