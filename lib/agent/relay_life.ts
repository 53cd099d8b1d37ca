// SPDX-License-Identifier: Apache-2.0
/** Decides when a relay ends by itself: soon after its last sandbox, or when nobody wants it. */

export interface RelayTiming {
  /** How long a new relay waits for its first caa, in milliseconds. */
  readonly startGraceMs: number;
  /** How long a relay with nothing to do lingers, in milliseconds; an `Open` in this time keeps it. */
  readonly lingerMs: number;
}

/** The issue allows three seconds from the last sandbox to the end of the process. */
export const DEFAULT_RELAY_TIMING: RelayTiming = { startGraceMs: 10_000, lingerMs: 1_500 };

export interface RelayLoad {
  readonly sandboxes: number;
  /** Open control connections. */
  readonly clients: number;
  readonly isDraining: boolean;
}

export interface RelayLife {
  /** Says what the relay has to do now; to be called on every change. */
  observe(load: RelayLoad): void;
  stop(): void;
}

export interface RelayLifeOptions {
  /** Only draining ends it. */
  readonly stay: boolean;
  readonly timing: RelayTiming;
  onEnd(reason: string): void;
}

/** Nothing is waited for before the first `observe`. `onEnd` is called once at most. */
export function createRelayLife(options: RelayLifeOptions): RelayLife {
  const { stay, timing, onEnd } = options;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let armedFor: string | undefined;
  let hasHadClient = false;
  let hasHadSandbox = false;
  let isOver = false;

  /** Why the relay should end, and after how long; undefined while it is wanted. */
  function reasonToEnd(load: RelayLoad): { reason: string; afterMs: number } | undefined {
    if (load.sandboxes > 0) return undefined;
    if (load.isDraining) return { reason: "drained", afterMs: timing.lingerMs };
    if (stay) return undefined;
    if (hasHadSandbox) return { reason: "last sandbox ended", afterMs: timing.lingerMs };
    if (load.clients > 0) return undefined;
    return hasHadClient
      ? { reason: "no sandbox and no caa", afterMs: timing.lingerMs }
      : { reason: "no caa came", afterMs: timing.startGraceMs };
  }

  return {
    observe(load) {
      if (isOver) return;
      hasHadClient ||= load.clients > 0;
      hasHadSandbox ||= load.sandboxes > 0;
      const next = reasonToEnd(load);
      // A timer that runs for the same reason goes on: connections that come and go must not keep a relay alive.
      if (next?.reason === armedFor) return;
      clearTimeout(timer);
      armedFor = next?.reason;
      if (!next) return;
      timer = setTimeout(() => {
        isOver = true;
        onEnd(next.reason);
      }, next.afterMs);
    },
    stop() {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
