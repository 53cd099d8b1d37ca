// SPDX-License-Identifier: Apache-2.0
/** Runs a service from start to stop: signals, the service manager's notices, the exit code. */

import type { Logger } from "@logtape/logtape";

/** What a started service offers to the one who runs it. */
export interface Service {
  /** Resolves when the service ended in order, rejects when it broke. */
  readonly closed: Promise<void>;
  /** Stops it; resolves when everything it held is released. */
  stop(): Promise<void>;
  /** Reads certificates and the like again (SIGHUP); keeps the old ones when the new ones are bad. */
  reload?(): void;
  /** One line for `systemctl status`. */
  readonly describe?: string;
}

export interface DaemonOptions {
  readonly command: string;
  readonly log: Logger;
  /** NOTIFY_SOCKET is read and taken out of it, and out of the process, so that no child inherits it. */
  readonly env: Record<string, string>;
  /** Starts the service; `signal` fires with the first SIGINT or SIGTERM. */
  start(signal: AbortSignal): Promise<Service>;
  /** How long stop() may take, in milliseconds. */
  readonly stopTimeoutMs?: number;
}

export function runDaemon(_o: DaemonOptions): Promise<number> {
  throw new Error("not yet");
}
