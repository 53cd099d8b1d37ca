// SPDX-License-Identifier: Apache-2.0
/** Runs one relay: its control socket, the sandboxes it carries, and when it ends. */

import type { Logger } from "@logtape/logtape";
import type { RelaySlot } from "./relay_slot.ts";

export interface RelayOptions {
  /** Taken by the caller (`takeRelaySlot`), released by the relay when it has ended. */
  readonly slot: RelaySlot;
  /** Lives on without sandboxes and without caa. */
  readonly stay: boolean;
  readonly build: string;
  readonly log: Logger;
  readonly directVolumesDir?: string | undefined;
  /** Ends the relay as `stop` does. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningRelay {
  /** Resolves once the relay has ended, by `stop` or because nothing was left to carry. */
  readonly closed: Promise<void>;
  /** Ends every sandbox and the relay. */
  stop(): Promise<void>;
}

export function startRelay(_options: RelayOptions): Promise<RunningRelay> {
  throw new Error("not written yet");
}
