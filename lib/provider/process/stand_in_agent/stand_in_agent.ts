// SPDX-License-Identifier: Apache-2.0
/** A stand-in for the kata-agent: answers its API on a unix socket and runs containers as plain child processes. */

import type { Logger } from "@logtape/logtape";

export interface StandInAgentOptions {
  readonly socketPath: string;
  /** Holds what CopyFile brings; made 0700 if missing. */
  readonly dir: string;
  /** Put into the environment of all it runs, so that its starter finds them; absent: one of its own. */
  readonly marker?: string | undefined;
  readonly log: Logger;
}

export interface StandInAgent {
  /** Resolves when `stop` is done. */
  readonly closed: Promise<void>;
  /** Ends every process it runs, then stops serving. */
  stop(): Promise<void>;
}

export function startStandInAgent(_options: StandInAgentOptions): Promise<StandInAgent> {
  throw new Error("not written yet");
}
