// SPDX-License-Identifier: Apache-2.0
/** Runs one relay: its control socket, the sandboxes it carries, and its end. */

import type { Logger } from "@logtape/logtape";
import { listenUnix, type UnixListener } from "../net/unix_socket.ts";
import { createTtrpcServer, type TtrpcServer } from "../ttrpc/server.ts";
import { relayControlService } from "./relay_control.ts";
import { createRelayLife, DEFAULT_RELAY_TIMING, type RelayTiming } from "./relay_life.ts";
import { createRelaySandboxes } from "./relay_sandboxes.ts";
import type { RelaySlot } from "./relay_slot.ts";
import { createWorkerRewriters } from "./worker_rewrite.ts";

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
  readonly timing?: RelayTiming | undefined;
}

export interface RunningRelay {
  /** Resolves once the relay has ended, by `stop` or because nothing was left to carry. */
  readonly closed: Promise<void>;
  /** Ends every sandbox and the relay. */
  stop(): Promise<void>;
}

/**
 * Starts serving the control socket of a slot.
 *
 * @throws {PeerctlError} when the control socket cannot be made; the slot is released then.
 */
export async function startRelay(options: RelayOptions): Promise<RunningRelay> {
  const { slot, stay, log, build, signal, directVolumesDir } = options;
  let clients = 0;
  const rewriters = createWorkerRewriters({ log, ...(directVolumesDir !== undefined && { directVolumesDir }) });
  const sandboxes = createRelaySandboxes({ rewriters, log, onChange: observe });
  const server = createTtrpcServer({
    services: new Map([relayControlService({ sandboxes, slot: slot.slot, stay, build })]),
    log,
    onConnections(count) {
      clients = count;
      observe();
    },
  });
  const life = createRelayLife({
    stay,
    timing: options.timing ?? DEFAULT_RELAY_TIMING,
    onEnd: (reason) => end(reason),
  });
  const { promise: closed, resolve: hasClosed, reject: hasFailed } = Promise.withResolvers<void>();
  let ending = false;

  function observe(): void {
    life.observe({ sandboxes: sandboxes.size, clients, isDraining: sandboxes.isDraining });
  }

  function end(reason: string): void {
    if (ending) return;
    ending = true;
    life.stop();
    signal?.removeEventListener("abort", onAbort);
    if (sandboxes.size > 0) log.warn("Relay ends and takes its sandboxes along", { reason, sandboxes: sandboxes.size });
    else log.info("Relay ends", { reason });
    // Whoever asks from now on is told to go elsewhere, until the connection ends.
    sandboxes.drain();
    shutDown(listener, server, () => sandboxes.closeAll())
      .finally(() => slot.release())
      .then(hasClosed, hasFailed);
  }

  const onAbort = () => end("asked to stop");
  let listener: UnixListener;
  try {
    listener = await listenUnix({ path: slot.paths.controlSocket, onConnection: (socket) => server.serve(socket) });
  } catch (error) {
    life.stop();
    slot.release();
    throw error;
  }
  observe();
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort);
  log.info("Relay started", { slot: slot.slot, stay, build, pid: Deno.pid });
  return {
    closed,
    async stop() {
      onAbort();
      await closed;
    },
  };
}

/** The control socket goes first, so that nobody finds a relay that ends; control connections go last. */
async function shutDown(listener: UnixListener, server: TtrpcServer, closeAll: () => Promise<void>): Promise<void> {
  await listener.close();
  await closeAll();
  server.close();
}
