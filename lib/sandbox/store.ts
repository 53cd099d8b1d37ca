// SPDX-License-Identifier: Apache-2.0
/** The sandboxes of this worker node: in memory for speed, in the journal first. */

import { PeerctlError, toPeerctlError } from "../errors.ts";
import type { Clock } from "../os/clock.ts";
import { type Journal, MAX_ERROR_LENGTH, type SandboxRow } from "./journal.ts";

/** Most sandboxes one worker node may hold: far above what a node runs, low enough to stop a runaway caller. */
const MAX_SANDBOXES = 4096;

/** A sandbox and the work that is under way on it. */
export interface Sandbox {
  readonly row: SandboxRow;
  starting: { readonly done: Promise<void>; abort(): void } | undefined;
  stopping: Promise<void> | undefined;
  /** A start that an earlier caa began is being undone; the sandbox stays. */
  takingBack: Promise<void> | undefined;
}

export interface SandboxStore {
  get(id: string): Sandbox | undefined;
  all(): Sandbox[];
  /** Who has this sandbox id now, for those who clean up after an earlier life of it. */
  ownerOf(id: string): { readonly isStarting: boolean; readonly instanceId: string } | undefined;
  /**
   * Adds a sandbox once the journal has it.
   *
   * @throws {PeerctlError} kind "limit" when there are too many, or what the journal throws.
   */
  add(row: Omit<SandboxRow, "createdMs" | "changedMs">): Sandbox;
  /**
   * Changes a sandbox once the journal has the change.
   *
   * @throws what the journal throws; nothing is changed then.
   */
  update(sandbox: Sandbox, change: Partial<SandboxRow>): void;
  /** Changes a sandbox also when the journal cannot be written: for what has happened whether it is noted or not. */
  note(sandbox: Sandbox, change: Partial<SandboxRow>): void;
  /** Forgets a sandbox; a row that cannot be removed now is removed by a later `flush`. */
  remove(id: string): void;
  /** Writes what could not be written before. */
  flush(): void;
  /** Resolves at the next change of any sandbox; rejects {PeerctlError} "timeout" or "closed" when `signal` aborts. */
  nextChange(signal: AbortSignal): Promise<void>;
}

/** Creates the store with what the journal holds. */
export function createSandboxStore(options: { journal: Journal; clock: Clock }): SandboxStore {
  const { journal, clock } = options;
  const known = new Map<string, Sandbox>();
  const waiters = new Set<() => void>();
  /** Ids whose row in the journal is behind; the ones that are not known any more are to be removed. */
  const unwritten = new Set<string>();
  for (const row of journal.sandboxes()) {
    known.set(row.id, { row, starting: undefined, stopping: undefined, takingBack: undefined });
  }

  function changed(): void {
    for (const wake of [...waiters]) wake();
  }

  function apply(sandbox: Sandbox, change: Partial<SandboxRow>): SandboxRow {
    const lastError = (change.lastError ?? sandbox.row.lastError).slice(0, MAX_ERROR_LENGTH);
    const isSameState = change.state === undefined || change.state === sandbox.row.state;
    return { ...sandbox.row, ...change, lastError, changedMs: isSameState ? sandbox.row.changedMs : clock.now() };
  }

  function replace(sandbox: Sandbox, row: SandboxRow): void {
    (sandbox as { row: SandboxRow }).row = row;
    changed();
  }

  function tryWrite(id: string): void {
    try {
      const sandbox = known.get(id);
      if (sandbox) journal.putSandbox(sandbox.row);
      else journal.removeSandbox(id);
      unwritten.delete(id);
    } catch {
      unwritten.add(id);
    }
  }

  return {
    get: (id) => known.get(id),
    all: () => [...known.values()],
    ownerOf(id) {
      const sandbox = known.get(id);
      return sandbox && { isStarting: sandbox.starting !== undefined, instanceId: sandbox.row.instanceId };
    },
    add(init) {
      if (known.size >= MAX_SANDBOXES) {
        throw new PeerctlError("limit", `Cannot add sandbox "${init.id}": ${known.size} exist, limit ${MAX_SANDBOXES}`);
      }
      const row = { ...init, createdMs: clock.now(), changedMs: clock.now() };
      journal.putSandbox(row);
      unwritten.delete(row.id);
      const sandbox: Sandbox = { row, starting: undefined, stopping: undefined, takingBack: undefined };
      known.set(row.id, sandbox);
      changed();
      return sandbox;
    },
    update(sandbox, change) {
      const row = apply(sandbox, change);
      journal.putSandbox(row);
      unwritten.delete(row.id);
      replace(sandbox, row);
    },
    note(sandbox, change) {
      replace(sandbox, apply(sandbox, change));
      tryWrite(sandbox.row.id);
    },
    remove(id) {
      known.delete(id);
      tryWrite(id);
      changed();
    },
    flush() {
      for (const id of [...unwritten]) tryWrite(id);
    },
    nextChange(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(toPeerctlError(signal.reason, "closed"));
        const leave = () => {
          waiters.delete(wake);
          signal.removeEventListener("abort", abort);
        };
        const wake = () => (leave(), resolve());
        const abort = () => (leave(), reject(toPeerctlError(signal.reason, "closed")));
        waiters.add(wake);
        signal.addEventListener("abort", abort);
      });
    },
  };
}
