// SPDX-License-Identifier: Apache-2.0
/** Sees to it that instances that have to go do go: at once if possible, else again and again, also after a restart. */

import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import type { Clock } from "../os/clock.ts";
import { limitTime } from "../os/limit_time.ts";
import type { Instance, Provider } from "../provider/provider.ts";
import { type DeletionRow, type Journal, MAX_ERROR_LENGTH } from "./journal.ts";

/** Pauses between two attempts to delete an instance, in milliseconds: doubling, and never longer than the last. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** Stands for the next attempt of a deletion that an operator has given up, in milliseconds since 1970. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/** How many deletions are tried at the same time. */
const MAX_AT_ONCE = 16;

/** An instance, by its id or, when the provider's answer was lost, by the sandbox it was made for. */
export interface Doomed {
  readonly sandboxId: string;
  readonly instanceId: string;
  /** When the create call may have been made last, in milliseconds since 1970; 0 when none was made. */
  readonly mayExistSinceMs: number;
}

export interface Reaper {
  /**
   * Deletes an instance. Resolves when it is gone, and also when it could not be deleted but is noted for later.
   *
   * @throws only when it could neither be deleted nor noted.
   */
  reap(doomed: Doomed): Promise<void>;
  /** What is noted for later. */
  pending(): readonly DeletionRow[];
  /** Gives up on the instances of a sandbox: an operator says that they are gone, or theirs. @returns how many. */
  forget(sandboxId: string): number;
  /** True for an instance that is noted for later or was given up: nobody else has to see to it. */
  knows(instance: Pick<Instance, "id" | "sandboxId">): boolean;
  /** Drops what was given up and is not among the instances that the provider lists any more. */
  dropGone(listed: readonly Pick<Instance, "id" | "sandboxId">[]): void;
  /** Tries what is due; to be called every now and then. */
  retryDue(signal: AbortSignal): Promise<void>;
}

export interface ReaperOptions {
  readonly provider: Provider;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Who has this sandbox id now, if anyone. */
  ownerOf(sandboxId: string): { readonly isStarting: boolean; readonly instanceId: string } | undefined;
  /** How long one attempt may take, in milliseconds. */
  readonly attemptMs: number;
  readonly log: Logger;
}

/** Creates it with the deletions that the journal has noted. */
export function createReaper(options: ReaperOptions): Reaper {
  const { provider, journal, clock, attemptMs, log } = options;
  const pending = new Map(journal.deletions().map((row) => [keyOf(row), row]));

  async function remove(doomed: Doomed, isRetry: boolean, signal?: AbortSignal): Promise<void> {
    await limitTime(async (limit) => {
      if (doomed.instanceId !== "") return await provider.delete(doomed.instanceId, limit);
      // More than one if a create call was answered twice.
      for (const id of await locate(doomed, limit)) {
        if (isRetry && isTaken(doomed.sandboxId, id)) continue;
        await provider.delete(id, limit);
      }
    }, {
      ms: attemptMs + provider.consistencyMs,
      what: `delete the instance of sandbox "${doomed.sandboxId}"`,
      clock,
      signal,
    });
  }

  /** Asks until every instance shows that there is: a provider may list what it made with a delay. */
  async function locate(doomed: Doomed, signal: AbortSignal): Promise<string[]> {
    const waitMs = doomed.mayExistSinceMs + provider.consistencyMs - clock.now();
    if (waitMs > 0) await clock.delay(waitMs, signal);
    return (await provider.find(doomed.sandboxId, signal)).map(({ id }) => id);
  }

  /**
   * A sandbox id may have been created anew since its instance was doomed: then one instance is the new life's.
   *
   * @throws {PeerctlError} kind "state" while it starts, for nobody knows which one it will be.
   */
  function isTaken(sandboxId: string, instanceId: string): boolean {
    const owner = options.ownerOf(sandboxId);
    if (owner?.isStarting) {
      throw new PeerctlError(
        "state",
        `Cannot delete what is left of sandbox "${sandboxId}": its id is being started anew`,
      );
    }
    return owner?.instanceId === instanceId;
  }

  function note(row: DeletionRow): void {
    journal.putDeletion(row);
    pending.set(keyOf(row), row);
  }

  async function retry(row: DeletionRow, signal: AbortSignal): Promise<void> {
    const { sandboxId, instanceId, attempts } = row;
    try {
      // What a create call made just before the row was noted shows by then.
      await remove({ sandboxId, instanceId, mayExistSinceMs: row.createdMs }, true, signal);
      // Noted anew meanwhile, for an instance that this attempt may not have seen.
      if (pending.get(keyOf(row)) !== row) return;
      journal.removeDeletion(row);
      pending.delete(keyOf(row));
      log.info("Instance deleted after all", { sandbox: sandboxId, instance: instanceId, attempts: attempts + 1 });
    } catch (error) {
      if (signal.aborted || pending.get(keyOf(row)) !== row) return;
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts, 20));
      const lastError = toPeerctlError(error).message.slice(0, MAX_ERROR_LENGTH);
      const next = { ...row, attempts: attempts + 1, lastError, nextMs: clock.now() + pause };
      pending.set(keyOf(row), next);
      log.warn("Instance still could not be deleted", {
        sandbox: sandboxId,
        instance: instanceId,
        attempts: next.attempts,
        reason: lastError,
        next_ms: pause,
      });
      try {
        journal.putDeletion(next);
      } catch {
        // The row is there with an earlier time; a restart would only try sooner.
      }
    }
  }

  return {
    async reap(doomed) {
      try {
        return await remove(doomed, false);
      } catch (error) {
        const lastError = toPeerctlError(error).message.slice(0, MAX_ERROR_LENGTH);
        const { sandboxId, instanceId } = doomed;
        const now = clock.now();
        note({
          sandboxId,
          instanceId,
          provider: provider.name,
          attempts: 1,
          lastError,
          createdMs: now,
          nextMs: now + FIRST_PAUSE_MS,
        });
        log.warn("Instance could not be deleted, it will be tried again", {
          sandbox: sandboxId,
          instance: instanceId,
          reason: lastError,
        });
      }
    },
    pending: () => [...pending.values()].filter((row) => row.nextMs !== NEVER_MS),
    knows: (instance) => [...pending.values()].some((row) => isAbout(row, instance)),
    dropGone(listed) {
      for (const row of pending.values()) {
        if (row.nextMs !== NEVER_MS || listed.some((instance) => isAbout(row, instance))) continue;
        journal.removeDeletion(row);
        pending.delete(keyOf(row));
      }
    },
    forget(sandboxId) {
      const rows = [...pending.values()].filter((row) => row.sandboxId === sandboxId && row.nextMs !== NEVER_MS);
      for (const row of rows) {
        note({ ...row, nextMs: NEVER_MS });
        log.warn("Instance given up by an operator", { sandbox: sandboxId, instance: row.instanceId });
      }
      return rows.length;
    },
    async retryDue(signal) {
      const due = [...pending.values()].filter((row) => row.nextMs <= clock.now() && row.provider === provider.name);
      for (let at = 0; at < due.length; at += MAX_AT_ONCE) {
        await Promise.all(due.slice(at, at + MAX_AT_ONCE).map((row) => retry(row, signal)));
      }
    },
  };
}

function isAbout(row: DeletionRow, instance: Pick<Instance, "id" | "sandboxId">): boolean {
  return row.instanceId === instance.id || (row.instanceId === "" && row.sandboxId === instance.sandboxId);
}

function keyOf(row: Pick<DeletionRow, "sandboxId" | "instanceId">): string {
  return `${row.sandboxId}\n${row.instanceId}`;
}
