// SPDX-License-Identifier: Apache-2.0
/** An upgrade of a worker node: pods of the older build go on in its relay, new ones come to a relay of the new build. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { buildName } from "../lib/cli/build_info.ts";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { AgentService } from "../lib/proto/gen/agent_pb.ts";
import { podAnnotations, startCaa, withCaaDir, withHypervisor } from "../lib/testing/caa_process.ts";
import { layOutBuild, otherBuildName } from "../lib/testing/other_build.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { createTtrpcClient, type TtrpcClient } from "../lib/ttrpc/client.ts";
import { typedClient } from "../lib/ttrpc/typed.ts";

const OLD = "0.0.1-before";

Deno.test("caa of a new build leaves pods to the relay of the old one, which ends with them, and starts its own", async () => {
  await withOldBuild((mainFile) =>
    withCaaDir(async (dir) => {
      await using before = await startCaa(dir, { mainFile });
      await startPod(dir, "sb1");
      assert.equal(await before.stop(), 0);
      const shim = await connectShim(dir, "sb1");

      await using after = await startCaa(dir);
      await shim.check();
      await startPod(dir, "sb2");
      assert.deepEqual(await listRelays(dir), [
        { slot: "0", build: otherBuildName(OLD), state: "draining", pods: ["sb1"] },
        { slot: "1", build: buildName(), state: "serving", pods: ["sb2"] },
      ]);
      assert.deepEqual(await podsByRelay(dir), [["sb1", "running", "0"], ["sb2", "running", "1"]]);
      await shim.check();

      await withHypervisor(dir, (vm) => vm.stopVM({ id: "sb1" }));
      await assert.rejects(shim.parked, { kind: "closed" });
      await shim.closed;
      await after.waitForLine(/"message":"Relay ended","slot":"0"/);
      assert.deepEqual((await listRelays(dir)).map(({ slot }) => slot), ["1"]);
      await withHypervisor(dir, (vm) => vm.stopVM({ id: "sb2" }));
      assert.doesNotMatch(after.lines.join("\n"), /took its sandboxes along|lost its agent path/);
      assert.equal(await after.stop(), 0);
    })
  );
});

Deno.test("caa that runs on while its program is replaced uses the relay it starts, and says that it is to be restarted", async () => {
  await withOldBuild((mainFile) =>
    withCaaDir(async (dir) => {
      await using caa = await startCaa(dir, { mainFile });
      const manifest = new URL("deno.json", `file://${mainFile}`);
      const text = await Deno.readTextFile(manifest);
      await Deno.writeTextFile(manifest, text.replace(OLD, "0.0.2-after"));
      await startPod(dir, "sb1");
      await startPod(dir, "sb2");
      assert.deepEqual(await listRelays(dir), [
        { slot: "0", build: otherBuildName("0.0.2-after"), state: "serving", pods: ["sb1", "sb2"] },
      ]);
      const { stderr } = await runPeerctl(["caa", "status", "-socket", join(dir, "h.sock")]);
      const builds = `${otherBuildName("0.0.2-after")}, this caa of build ${otherBuildName(OLD)}`;
      assert.ok(
        stderr.includes(`warning: relay 0 is of build ${builds}: it is used all the same; restart caa`),
        stderr,
      );
      await withHypervisor(dir, (vm) => Promise.all(["sb1", "sb2"].map((id) => vm.stopVM({ id }))));
      assert.equal(await caa.stop(), 0);
    })
  );
});

function withOldBuild(body: (mainFile: string) => Promise<void>): Promise<void> {
  return withTempDir(async (program) => await body(await layOutBuild(program, OLD)));
}

async function startPod(dir: string, id: string): Promise<void> {
  await withHypervisor(dir, async (vm) => {
    await vm.createVM({ id, annotations: podAnnotations(id) });
    await vm.startVM({ id });
  });
}

interface Shim {
  /** A call that the agent answers only when the sandbox ends. */
  readonly parked: Promise<unknown>;
  check(): Promise<void>;
  readonly closed: TtrpcClient["closed"];
}

/** The shim's one connection, with its parked call. */
async function connectShim(dir: string, id: string): Promise<Shim> {
  const client = createTtrpcClient(await dialUnix(join(dir, "pods", id, "agent.ttrpc")));
  const agent = typedClient(AgentService, client);
  await agent.createSandbox({ sandboxId: id });
  const parked = agent.getOOMEvent({});
  parked.catch(() => {});
  return {
    parked,
    closed: client.closed,
    check: async () => void await client.call("grpc.Health", "Check", new Uint8Array()),
  };
}

async function listRelays(dir: string) {
  const { stdout } = await runPeerctl(["relay", "list", "-dir", join(dir, "relay"), "--output", "json"]);
  const { relays } = JSON.parse(stdout) as {
    relays: { slot: string; build: string; state: string; sandboxes: { id: string }[] }[];
  };
  return relays.map(({ slot, build, state, sandboxes }) => ({
    slot,
    build,
    state,
    pods: sandboxes.map(({ id }) => id),
  }));
}

async function podsByRelay(dir: string): Promise<[string, string, string][]> {
  const { stdout } = await runPeerctl(["caa", "status", "-socket", join(dir, "h.sock"), "--output", "json"]);
  const { sandboxes } = JSON.parse(stdout) as { sandboxes: { id: string; state: string; relay: string }[] };
  return sandboxes.map(({ id, state, relay }) => [id, state, relay]);
}
