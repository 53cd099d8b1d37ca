// SPDX-License-Identifier: Apache-2.0
/** A caa whose provider answers at once: for measuring what a sandbox costs. Run by scale.ts; takes a ScaleTask as JSON. */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { createRelayPool } from "../agent/relay_pool.ts";
import { buildName } from "../cli/build_info.ts";
import { createRelayStarter } from "../agent/relay_spawn.ts";
import { listenUnix } from "../net/unix_socket.ts";
import { parseTlsProfile, type TlsCredentials } from "../net/tls.ts";
import { systemClock } from "../os/clock.ts";
import type { Instance, Provider } from "../provider/provider.ts";
import { createManualAgentTls } from "../sandbox/agent_tls.ts";
import { hypervisorService } from "../sandbox/hypervisor_service.ts";
import { startNodeSandboxes } from "../sandbox/node_sandboxes.ts";
import { openStateDir } from "../sandbox/state_dir.ts";
import { createTtrpcServer } from "../ttrpc/server.ts";

export interface ScaleTask {
  readonly dir: string;
  /** How to start peerctl, program first. */
  readonly selfCommand: readonly string[];
  /** Where every pod VM's forwarder listens. */
  readonly host: string;
  readonly port: number;
  readonly credentials: TlsCredentials;
}

/** Where things lie in the folder of a task. */
export function scalePaths(dir: string) {
  return {
    socket: join(dir, "h.sock"),
    podsDir: join(dir, "pods"),
    cloud: join(dir, "cloud"),
    relays: join(dir, "relay"),
  };
}

/** Instances are empty files, so that they outlive a caa. */
function folderProvider(folder: string, host: string): Provider {
  const describe = (id: string): Instance => ({ id, name: id, addresses: [host], sandboxId: id });
  const list = () => [...Deno.readDirSync(folder)].map(({ name }) => describe(name));
  return {
    name: "folder",
    consistencyMs: 0,
    verifyConfig: () => Promise.resolve(),
    async create({ sandboxId }) {
      await Deno.writeTextFile(join(folder, sandboxId), "");
      return describe(sandboxId);
    },
    delete: (id) => Deno.remove(join(folder, id)).catch(() => {}),
    find: (sandboxId) => Promise.resolve(list().filter((one) => one.sandboxId === sandboxId)),
    list: () => Promise.resolve(list()),
  };
}

async function main(task: ScaleTask): Promise<void> {
  const { socket, podsDir, cloud, relays: relayDir } = scalePaths(task.dir);
  const log = getLogger(["peerctl", "scale"]);
  const env = Deno.env.toObject();
  await Deno.mkdir(cloud, { recursive: true });
  const stateDir = await openStateDir({ podsDir, nodeName: "" });
  const starter = createRelayStarter({ dir: relayDir, mode: "spawn", selfCommand: task.selfCommand, env, log });
  const relays = createRelayPool({ dir: relayDir, count: 1, mode: "spawn", starter, build: buildName(), log });
  const node = await startNodeSandboxes({
    podsDir,
    journalDir: stateDir.folder("journal"),
    provider: folderProvider(cloud, task.host),
    relays,
    agentTls: createManualAgentTls({
      profile: parseTlsProfile("", []),
      apfProfile: {},
      credentials: () => task.credentials,
    }),
    composeUserData: () => "",
    forwarderPort: task.port,
    proxyTimeoutMs: 60_000,
    deleteAttemptMs: 60_000,
    orphanGraceMs: 600_000,
    clock: systemClock,
    log,
  });
  const server = createTtrpcServer({ services: new Map([hypervisorService(node.sandboxes)]), log });
  await listenUnix({ path: socket, onConnection: (connection) => server.serve(connection) });
  console.log("ready");
}

if (import.meta.main) await main(JSON.parse(Deno.args[0] ?? "{}"));
