// SPDX-License-Identifier: Apache-2.0
/** Finds instances that the provider counts as ours and nobody here knows, and deletes them after a grace period. */

import type { Logger } from "@logtape/logtape";
import { limitTime } from "../os/limit_time.ts";
import type { Clock } from "../os/clock.ts";
import type { Instance, Provider } from "../provider/provider.ts";
import type { Reaper } from "./reaper.ts";
import type { SandboxStore } from "./store.ts";

/** How long the provider may take to list, in milliseconds. */
const LIST_LIMIT_MS = 60_000;

/** An instance that nobody here knows. */
export interface Orphan {
  readonly instanceId: string;
  /** The sandbox it was made for, as the provider says. */
  readonly sandboxId: string;
  /** When it was first seen, and when it is to be deleted, in milliseconds since 1970. */
  readonly seenMs: number;
  readonly deleteMs: number;
}

export interface OrphanSweeper {
  /** Looks once, and deletes what has been an orphan for the whole grace period. */
  sweep(signal: AbortSignal): Promise<void>;
  /** Orphans that wait for the end of their grace period. */
  readonly waiting: readonly Orphan[];
}

export interface OrphanSweeperOptions {
  readonly provider: Provider;
  readonly store: SandboxStore;
  readonly reaper: Reaper;
  /** In milliseconds; counted from when an instance was first seen without an owner. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Creates it; nothing has been looked at yet. */
export function createOrphanSweeper(options: OrphanSweeperOptions): OrphanSweeper {
  const { provider, store, reaper, graceMs, clock, log } = options;
  const waiting = new Map<string, Orphan>();

  function hasOwner(instance: Instance): boolean {
    const sandbox = store.get(instance.sandboxId);
    // While a sandbox starts, its instance may be there before its id is known here.
    const isBusy = sandbox?.starting || sandbox?.stopping || sandbox?.takingBack;
    if (isBusy || sandbox?.row.instanceId === instance.id) return true;
    return reaper.knows(instance);
  }

  return {
    get waiting() {
      return [...waiting.values()];
    },
    async sweep(signal) {
      const instances = await limitTime((limit) => provider.list(limit), {
        ms: LIST_LIMIT_MS,
        what: "list instances",
        clock,
        signal,
      });
      reaper.dropGone(instances);
      const orphans = instances.filter((instance) => !hasOwner(instance));
      const seen = new Set(orphans.map(({ id }) => id));
      for (const id of waiting.keys()) if (!seen.has(id)) waiting.delete(id);
      for (const { id, name, sandboxId } of orphans) {
        const now = clock.now();
        const orphan = waiting.get(id) ?? { instanceId: id, sandboxId, seenMs: now, deleteMs: now + graceMs };
        if (!waiting.has(id)) {
          waiting.set(id, orphan);
          log.warn("Instance without an owner found", { instance: id, name, sandbox: sandboxId, grace_ms: graceMs });
        }
        if (now < orphan.deleteMs) continue;
        log.warn("Instance without an owner is deleted", { instance: id, name, sandbox: sandboxId });
        await reaper.reap({ sandboxId, instanceId: id, mayExistSinceMs: 0 });
        waiting.delete(id);
      }
    },
  };
}
