// SPDX-License-Identifier: Apache-2.0
/** A relay pool that carries nothing and remembers what it was told: for tests of the sandbox life cycle. */

import { create } from "@bufbuild/protobuf";
import type { OpenInit, RelayPool, RelaySandbox } from "../agent/relay_pool.ts";
import { SandboxSchema } from "../proto/gen/relay_pb.ts";

export interface FakeRelays extends RelayPool {
  readonly opened: readonly OpenInit[];
  readonly closed: readonly string[];
  failNextOpen(error: Error): void;
  /** Makes the next `open` wait until its signal aborts; `openReached` resolves when it waits. */
  holdOpen(): { readonly waiting: Promise<void> };
  readonly openReached: Promise<void>;
  /** Forgets everything it carries, as the end of its process does. @returns the ids of what it carried. */
  die(): string[];
  /** Ends what is being opened without an answer, as a relay does when its caa is gone. */
  dropOpening(): void;
  /** Lets a relay be there that does not answer. */
  goBlind(): void;
  /** Adds a sandbox that an earlier caa had opened. */
  carry(sandboxId: string, agentSocket: string, labels: Record<string, string>): void;
}

/** Creates a pool that carries no sandbox. */
export function createFakeRelays(): FakeRelays {
  const opened: OpenInit[] = [];
  const closed: string[] = [];
  const carried = new Map<string, RelaySandbox>();
  let openError: Error | undefined;
  const reached = Promise.withResolvers<void>();
  let isHeld = false;
  let isBlind = false;
  function carry(sandboxId: string, agentSocket: string, labels: Record<string, string>): void {
    carried.set(sandboxId, create(SandboxSchema, { sandboxId, agentSocket, labels, state: "open" }));
  }
  return {
    opened,
    closed,
    async open(sandbox, signal) {
      const error = openError;
      openError = undefined;
      if (error) throw error;
      if (isHeld) {
        isHeld = false;
        reached.resolve();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
      }
      opened.push(sandbox);
      carry(sandbox.sandboxId, sandbox.agentSocket ?? "", { ...sandbox.labels });
    },
    close(sandboxId) {
      closed.push(sandboxId);
      return Promise.resolve(carried.delete(sandboxId));
    },
    update: () => Promise.resolve(),
    list: () => Promise.resolve([...carried.values()]),
    slotOf: (sandboxId) => (carried.has(sandboxId) ? "0" : undefined),
    warnings: () => [],
    isBlind: () => isBlind,
    stop: () => Promise.resolve(),
    goBlind() {
      isBlind = true;
    },
    failNextOpen(error) {
      openError = error;
    },
    holdOpen() {
      isHeld = true;
      return { waiting: reached.promise };
    },
    openReached: reached.promise,
    die() {
      const ids = [...carried.keys()];
      carried.clear();
      return ids;
    },
    dropOpening() {
      openError = undefined;
      isHeld = false;
    },
    carry,
  };
}
