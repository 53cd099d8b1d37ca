// SPDX-License-Identifier: Apache-2.0
/** A worker node's sandboxes in one process: real journal and folders, with a provider and relays of the test's choice. */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { RelayPool } from "../agent/relay_pool.ts";
import { type Clock, systemClock } from "../os/clock.ts";
import type { Provider } from "../provider/provider.ts";
import { createDisabledTls } from "../sandbox/agent_tls.ts";
import { type NodeSandboxes, startNodeSandboxes } from "../sandbox/node_sandboxes.ts";

/** Long, so that no orphan is deleted unless a test wants it. */
const GRACE_MS = 10 * 60_000;

export interface SandboxNodeOptions {
  readonly podsDir: string;
  readonly provider: Provider;
  readonly relays: RelayPool;
  readonly clock?: Clock;
  readonly deleteAttemptMs?: number;
  readonly orphanGraceMs?: number;
}

export interface SandboxNode extends NodeSandboxes {
  /** Ends it as kill -9 ends a process: whatever is under way can write nothing any more. */
  kill(): void;
}

/** Starts as caa does: opens the journal, reconciles, and is ready to serve. */
export async function startSandboxNode(options: SandboxNodeOptions): Promise<SandboxNode> {
  const node = await startNodeSandboxes({
    clock: systemClock,
    deleteAttemptMs: 60_000,
    orphanGraceMs: GRACE_MS,
    ...options,
    journalDir: join(options.podsDir, ".journal"),
    agentTls: createDisabledTls(),
    composeUserData: (pod) => `user data of ${pod.podName} with initdata ${JSON.stringify(pod.initdata)}`,
    forwarderPort: 15150,
    proxyTimeoutMs: 1000,
    log: getLogger(["peerctl", "test"]),
  });
  return {
    ...node,
    kill() {
      node.journal[Symbol.dispose]();
      node.janitor.stop();
    },
  };
}
