// SPDX-License-Identifier: Apache-2.0
/** Logs TLS clients that were turned away, without letting a scanner fill the log. */

import type { Logger } from "@logtape/logtape";

/** Shortest time between two warnings, in milliseconds; what comes between is counted and logged at debug. */
const WARN_INTERVAL_MS = 10_000;

export interface RefusalLog {
  /** A client that we do not accept, or that does not accept us: someone should look. */
  refused(peer: string, reason: string): void;
  /** A handshake that was broken off or never finished. */
  broken(peer: string, reason: string): void;
}

export function createRefusalLog(log: Logger, now: () => number = () => performance.now()): RefusalLog {
  let warnedAt = -Infinity;
  let unwarned = 0;
  return {
    refused(peer, reason) {
      if (now() - warnedAt < WARN_INTERVAL_MS) {
        unwarned++;
        log.debug("TLS client refused", { peer, reason });
        return;
      }
      log.warn("TLS client refused", { peer, reason, ...(unwarned > 0 && { unwarned }) });
      warnedAt = now();
      unwarned = 0;
    },
    broken: (peer, reason) => log.debug("TLS handshake broken off", { peer, reason }),
  };
}
