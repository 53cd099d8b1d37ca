// SPDX-License-Identifier: Apache-2.0
/** Puts together what keeps the sandboxes of one worker node: journal, life cycle, clean-up; reconciled and ready to serve. */

import type { Logger } from "@logtape/logtape";
import type { RelayPool } from "../agent/relay_pool.ts";
import type { Clock } from "../os/clock.ts";
import type { Provider } from "../provider/provider.ts";
import type { AgentTls, SandboxTls } from "./agent_tls.ts";
import type { PodRequest } from "./annotations.ts";
import { type Janitor, startJanitor } from "./janitor.ts";
import { type Journal, openJournal } from "./journal.ts";
import { createPodFolders } from "./pod_folders.ts";
import { createReaper, type Reaper } from "./reaper.ts";
import { recover } from "./recovery.ts";
import { createSandboxes, type Sandboxes } from "./sandboxes.ts";
import { createSandboxStore, type SandboxStore } from "./store.ts";

export interface NodeSandboxesOptions {
  readonly podsDir: string;
  readonly journalDir: string;
  readonly provider: Provider;
  readonly relays: RelayPool;
  readonly agentTls: AgentTls;
  /** Composes the user data of a pod VM from what is known of the pod and its TLS. */
  composeUserData(pod: PodRequest, tls: SandboxTls): string;
  readonly forwarderPort: number;
  /** How long the way to the agent may take to open, in milliseconds. */
  readonly proxyTimeoutMs: number;
  /** How long one attempt to delete an instance may take, in milliseconds; StopVM waits for the first one. */
  readonly deleteAttemptMs: number;
  /** How long an instance without an owner is left alone, in milliseconds. */
  readonly orphanGraceMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeSandboxes {
  readonly journal: Journal;
  readonly store: SandboxStore;
  readonly reaper: Reaper;
  readonly sandboxes: Sandboxes;
  readonly janitor: Janitor;
  /** Gives up what is starting, waits for what is under way, and closes the journal. Running sandboxes go on. */
  stop(): Promise<void>;
}

/**
 * Opens the journal and brings it to agree with relays, folders and provider.
 *
 * @throws {PeerctlError} when the journal or the folders cannot be used.
 */
export async function startNodeSandboxes(options: NodeSandboxesOptions): Promise<NodeSandboxes> {
  const { provider, clock, log } = options;
  const journal = await openJournal(options.journalDir);
  try {
    const store = createSandboxStore({ journal, clock });
    const reaper = createReaper({
      provider,
      journal,
      clock,
      log,
      ownerOf: store.ownerOf,
      attemptMs: options.deleteAttemptMs,
    });
    const folders = createPodFolders(options.podsDir);
    const sandboxes = createSandboxes({ ...options, store, reaper, folders });
    await recover({ ...options, journal, store, reaper, folders, sandboxes, providerName: provider.name });
    const janitor = startJanitor({ ...options, store, reaper });
    return {
      journal,
      store,
      reaper,
      sandboxes,
      janitor,
      async stop() {
        await janitor.stop();
        await sandboxes.settle();
        journal[Symbol.dispose]();
      },
    };
  } catch (error) {
    journal[Symbol.dispose]();
    throw error;
  }
}
