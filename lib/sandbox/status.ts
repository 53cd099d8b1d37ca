// SPDX-License-Identifier: Apache-2.0
/** Says how the sandboxes of this node are, for probes and operators: no secrets, no user data. */

import type { RelayPool } from "../agent/relay_pool.ts";
import type { Clock } from "../os/clock.ts";
import type { Provider } from "../provider/provider.ts";
import type { SandboxState } from "./journal.ts";
import type { Orphan } from "./orphans.ts";
import type { Reaper } from "./reaper.ts";
import type { SandboxStore } from "./store.ts";

/** Longest error text told, in characters: thousands of sandboxes have to fit into one reply of 4 MiB. */
const MAX_TOLD_ERROR = 300;

/** All times are in milliseconds since 1970 and of caa's clock. */
export interface CaaStatus {
  readonly provider: string;
  readonly nowMs: number;
  readonly sandboxes: readonly SandboxStatus[];
  readonly deletions: readonly DeletionStatus[];
  readonly orphans: readonly OrphanStatus[];
  readonly warnings: readonly string[];
}

export interface SandboxStatus {
  readonly id: string;
  readonly pod: string;
  readonly namespace: string;
  readonly state: SandboxState;
  readonly createdMs: number;
  /** Since when it is in this state. */
  readonly changedMs: number;
  /** "" as long as there is none, or it is not known yet. */
  readonly instance: string;
  /** Slot of the relay that carries its agent path; "" without one. */
  readonly relay: string;
  readonly lastError: string;
}

/** An instance that has to go and could not be deleted yet. */
export interface DeletionStatus {
  readonly sandbox: string;
  /** "" when only the provider knows it, by its sandbox. */
  readonly instance: string;
  readonly attempts: number;
  readonly lastError: string;
  readonly nextMs: number;
}

/** An instance that is ours and belongs to no sandbox, left alone until its time has come. */
export interface OrphanStatus {
  /** The sandbox it was made for, as the provider says. */
  readonly sandbox: string;
  readonly instance: string;
  readonly seenMs: number;
  readonly deleteMs: number;
}

export interface StatusSources {
  readonly provider: Pick<Provider, "name">;
  readonly store: Pick<SandboxStore, "all">;
  readonly reaper: Pick<Reaper, "pending">;
  readonly janitor: { orphans(): readonly Orphan[] };
  readonly relays: Pick<RelayPool, "slotOf" | "warnings">;
  readonly clock: Pick<Clock, "now">;
}

/** Reads it from memory: nobody is asked, so that it answers also when a relay or the provider hangs. */
export function readStatus({ provider, store, reaper, janitor, relays, clock }: StatusSources): CaaStatus {
  return {
    provider: provider.name,
    nowMs: clock.now(),
    sandboxes: store.all().map(({ row }) => ({
      id: row.id,
      pod: row.podName,
      namespace: row.podNamespace,
      state: row.state,
      createdMs: row.createdMs,
      changedMs: row.changedMs,
      instance: row.instanceId,
      relay: relays.slotOf(row.id) ?? "",
      lastError: row.lastError.slice(0, MAX_TOLD_ERROR),
    })),
    deletions: reaper.pending().map(({ sandboxId, instanceId, attempts, lastError, nextMs }) => ({
      sandbox: sandboxId,
      instance: instanceId,
      attempts,
      lastError: lastError.slice(0, MAX_TOLD_ERROR),
      nextMs,
    })),
    orphans: janitor.orphans().map(({ sandboxId, instanceId, seenMs, deleteMs }) => ({
      sandbox: sandboxId,
      instance: instanceId,
      seenMs,
      deleteMs,
    })),
    warnings: relays.warnings(),
  };
}

/** The same for /readyz: sandboxes are only counted, by state. */
export function summarize(status: CaaStatus): Omit<CaaStatus, "sandboxes" | "nowMs"> & {
  readonly sandboxes: Readonly<Partial<Record<SandboxState, number>>>;
} {
  const { nowMs: _, sandboxes, ...rest } = status;
  const counts: Partial<Record<SandboxState, number>> = {};
  for (const { state } of sandboxes) counts[state] = (counts[state] ?? 0) + 1;
  return { ...rest, sandboxes: counts };
}
