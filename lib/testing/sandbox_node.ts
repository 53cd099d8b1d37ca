// SPDX-License-Identifier: Apache-2.0
/** A worker node's sandboxes in one process: real journal and folders, with a provider and relays of the test's choice. */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { RelayPool } from "../agent/relay_pool.ts";
import { type Clock, systemClock } from "../os/clock.ts";
import type { Provider } from "../provider/provider.ts";
import { createDisabledTls } from "../sandbox/agent_tls.ts";
import { type Journal, openJournal } from "../sandbox/journal.ts";
import { createPodFolders } from "../sandbox/pod_folders.ts";
import { createReaper, type Reaper } from "../sandbox/reaper.ts";
import { recover } from "../sandbox/recovery.ts";
import { createSandboxes, type Sandboxes } from "../sandbox/sandboxes.ts";
import { createSandboxStore, type SandboxStore } from "../sandbox/store.ts";

export interface SandboxNodeOptions {
  readonly podsDir: string;
  readonly provider: Provider;
  readonly relays: RelayPool;
  readonly clock?: Clock;
  readonly attemptMs?: number;
}

export interface SandboxNode {
  readonly journal: Journal;
  readonly store: SandboxStore;
  readonly reaper: Reaper;
  readonly sandboxes: Sandboxes;
  /** Closes the journal as the end of a process does, whatever is under way. */
  close(): void;
}

/** Starts as caa does: opens the journal, reconciles, and is ready to serve. */
export async function startSandboxNode(options: SandboxNodeOptions): Promise<SandboxNode> {
  const { podsDir, provider, relays, clock = systemClock, attemptMs = 60_000 } = options;
  const log = getLogger(["peerctl", "test"]);
  const journal = await openJournal(join(podsDir, ".journal"));
  const common = { provider, journal, relays, folders: createPodFolders(podsDir), clock, log };
  const store = createSandboxStore(common);
  const reaper = createReaper({ ...common, ownerOf: store.ownerOf, attemptMs });
  const sandboxes = createSandboxes({
    ...common,
    store,
    reaper,
    agentTls: createDisabledTls(),
    composeUserData: (pod) => `user data of ${pod.podName} with initdata ${JSON.stringify(pod.initdata)}`,
    forwarderPort: 15150,
    proxyTimeoutMs: 1000,
  });
  await recover({ ...common, store, reaper, sandboxes, providerName: provider.name });
  return { journal, store, reaper, sandboxes, close: () => journal[Symbol.dispose]() };
}
