// SPDX-License-Identifier: Apache-2.0
/** Starts a relay as a process that outlives its starter: by systemd-run where we are in a unit, else in a session of its own. */

import type { Logger } from "@logtape/logtape";

export interface RelayStarter {
  /** Starts a relay in `slot`; resolves when the process runs, before it answers. */
  start(slot: string): Promise<void>;
  /** What an operator should know about how relays were started. */
  warnings(): string[];
}

export interface RelayStarterOptions {
  readonly dir: string;
  /** `auto` tries systemd-run inside a unit; `spawn` never does. */
  readonly mode: "auto" | "spawn";
  /** How to start peerctl again, program first. */
  readonly selfCommand: readonly string[];
  /** Flags after `-dir` and `-slot`, such as the log level. */
  readonly flags?: readonly string[];
  /** The environment of this process; only a few harmless names are handed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

export function createRelayStarter(_options: RelayStarterOptions): RelayStarter {
  throw new Error("not written yet");
}
