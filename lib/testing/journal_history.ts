// SPDX-License-Identifier: Apache-2.0
/** A history of journal writes that is always the same, and what the journal must hold after each of them. */

import type { DeletionRow, Journal, SandboxRow } from "../sandbox/journal.ts";

/** Sandboxes that come and go in it. */
const SANDBOXES = 7;

/** Longest text in a row, in bytes: some rows need pages of their own. */
const MAX_TEXT = 6000;

type Writes = Pick<Journal, "putSandbox" | "removeSandbox" | "putDeletion" | "removeDeletion" | "together">;

/** Does write number `n`, from 1 on. Each changes something, and some change several rows as one. */
export function writeHistory(journal: Writes, n: number): void {
  const id = `sb${n % SANDBOXES}`, other = `sb${(n + 3) % SANDBOXES}`;
  switch (n % 5) {
    case 0:
      return journal.together(() => {
        journal.removeSandbox(id);
        journal.putDeletion(deletion(id, n));
      });
    case 1:
      return journal.together(() => {
        journal.putSandbox(sandbox(id, n));
        journal.putSandbox(sandbox(other, n));
        journal.removeDeletion({ sandboxId: other, instanceId: "" });
      });
    case 2:
      return journal.putDeletion(deletion(id, n));
    default:
      return journal.putSandbox(sandbox(id, n));
  }
}

/** What a journal holds, as one text. */
export function contentOf(journal: Pick<Journal, "sandboxes" | "deletions">): string {
  const byId = (a: SandboxRow | DeletionRow, b: SandboxRow | DeletionRow) => (keyOf(a) < keyOf(b) ? -1 : 1);
  const plain = (row: SandboxRow | DeletionRow) => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([journal.sandboxes(), journal.deletions()].map((rows) => rows.toSorted(byId).map(plain)));
}

export interface ExpectedHistory {
  /** What the journal must hold after the first `n` writes. */
  after(n: number): string;
}

/** Replays the history in memory, as far as it is asked for. */
export function expectHistory(): ExpectedHistory {
  const sandboxes = new Map<string, SandboxRow>(), deletions = new Map<string, DeletionRow>();
  const memory: Writes = {
    putSandbox: (row) => void sandboxes.set(row.id, row),
    removeSandbox: (id) => void sandboxes.delete(id),
    putDeletion: (row) => void deletions.set(row.sandboxId, row),
    removeDeletion: ({ sandboxId }) => void deletions.delete(sandboxId),
    together: (writes) => writes(),
  };
  const content = () =>
    contentOf({ sandboxes: () => [...sandboxes.values()], deletions: () => [...deletions.values()] });
  const known = [content()];
  return {
    after(n) {
      while (known.length <= n) {
        writeHistory(memory, known.length);
        known.push(content());
      }
      return known[n]!;
    },
  };
}

function sandbox(id: string, n: number): SandboxRow {
  return {
    id,
    podName: `pod-${n}`,
    podNamespace: "default",
    networkNamespacePath: `/run/netns/${n}`,
    agentSocket: `/pods/${id}/agent.ttrpc`,
    spec: "{}",
    state: n % 2 === 0 ? "running" : "starting",
    provider: "fake",
    idempotencyKey: `key-${n}`,
    instanceId: `vm-${n}`,
    lastError: "x".repeat((n * 997) % MAX_TEXT),
    createdMs: n,
    changedMs: n,
  };
}

function deletion(sandboxId: string, n: number): DeletionRow {
  const lastError = "y".repeat((n * 499) % MAX_TEXT);
  return { sandboxId, instanceId: "", provider: "fake", attempts: n, lastError, createdMs: n, nextMs: n };
}

function keyOf(row: SandboxRow | DeletionRow): string {
  return "id" in row ? row.id : row.sandboxId;
}
