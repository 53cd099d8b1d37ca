// SPDX-License-Identifier: Apache-2.0
/** Starts both agent paths side by side, each with a client and an agent of its own. */

import { join } from "node:path";
import { withTempDir } from "../temp_dir.ts";
import { type AgentHops, makeCertificates, startGoHops, startPeerctlHops } from "./agent_path.ts";
import { type BenchAgent, type Load, startBenchAgent, startLoad } from "./load.ts";

/** What apf may take in a pod VM, in MiB: 60 MB. */
export const APF_LIMIT_MIB = 57.2;

export interface Subject {
  readonly hops: AgentHops;
  /** Connected. */
  readonly load: Load;
  readonly agent: BenchAgent;
}

/** Runs `body` with peerctl's path and Go's, in this order; all processes have ended afterwards. */
export async function withSubjects(
  o: { readonly env: Readonly<Record<string, string>> },
  body: (subjects: readonly Subject[]) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    await using stack = new AsyncDisposableStack();
    const certificates = await makeCertificates(dir);
    const subjects: Subject[] = [];
    for (const [name, start] of [["p", startPeerctlHops], ["g", startGoHops]] as const) {
      const own = join(dir, name), agentSocket = join(own, "agent.sock");
      await Deno.mkdir(own);
      const agent = stack.adopt(await startBenchAgent(agentSocket), stop);
      const hops = stack.adopt(await start({ dir: own, agentSocket, certificates, env: o.env }), stop);
      const load = stack.adopt(await startLoad(), stop);
      await load.dial(hops.socket);
      subjects.push({ hops, load, agent });
    }
    await body(subjects);
  });
}

const stop = (running: { stop(): Promise<void> }) => running.stop();
