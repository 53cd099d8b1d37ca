// SPDX-License-Identifier: Apache-2.0
/** Says how the sandboxes of this node are, for probes and operators. */

import type { Reaper } from "./reaper.ts";
import type { SandboxStore } from "./store.ts";

/** Counts for /readyz: how many sandboxes are in each state, and what could not be deleted yet. */
export interface StatusSummary {
  readonly sandboxes: Readonly<Record<string, number>>;
  readonly deletions: readonly { sandbox: string; instance: string; attempts: number; lastError: string }[];
}

/** Summarizes for anyone on the machine: no secrets, no user data. */
export function summarize(store: SandboxStore, reaper: Reaper): StatusSummary {
  const sandboxes: Record<string, number> = {};
  for (const { row } of store.all()) sandboxes[row.state] = (sandboxes[row.state] ?? 0) + 1;
  const deletions = reaper.pending().map(({ sandboxId, instanceId, attempts, lastError }) => ({
    sandbox: sandboxId,
    instance: instanceId,
    attempts,
    lastError,
  }));
  return { sandboxes, deletions };
}
