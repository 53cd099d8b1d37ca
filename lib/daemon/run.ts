// SPDX-License-Identifier: Apache-2.0
/** Runs a service from start to stop: signals, the service manager's notices, the exit code. */

import type { Logger } from "@logtape/logtape";
import { ExitCode } from "../cli/exit_code.ts";
import { createServiceNotifier, type ServiceNotifier } from "./sd_notify.ts";
import { releaseStartupPages } from "./startup_pages.ts";

/** What a started service offers to the one who runs it. */
export interface Service {
  /** Resolves when the service ended in order, rejects when it broke. */
  readonly closed: Promise<void>;
  /** Stops it; resolves when everything it held is released. */
  stop(): Promise<void>;
  /** Reads certificates and the like again (SIGHUP); keeps the old ones when the new ones are bad. Without it SIGHUP ends the process, as always. */
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
  /** How long stopping may take, in milliseconds; default 30,000. */
  readonly stopTimeoutMs?: number;
}

/** How long a service may take to stop before the process gives up on it; systemd itself waits 90 s. */
const STOP_TIMEOUT_MS = 30_000;

/**
 * Starts a service, reports it ready, waits for its end or for SIGINT or SIGTERM, and stops it.
 *
 * Resolves with an exit code: done when it ended or stopped in order, failed when it broke, unclean when a second
 * signal came or stop() failed or took too long. The process should then exit at once.
 *
 * @throws what `start` throws, unless a signal came first.
 */
export async function runDaemon(o: DaemonOptions): Promise<number> {
  const notifier = createServiceNotifier(takeNotifySocket(o.env), o.log);
  const stopping = new AbortController();
  const forced = Promise.withResolvers<number>();
  const timeoutMs = o.stopTimeoutMs ?? STOP_TIMEOUT_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Called once the end has begun, by whatever; from then on nothing may wait forever.
  const beginStop = () => {
    notifier.stopping();
    timer ??= setTimeout(() => {
      o.log.error("Not stopped in time", { command: o.command, timeout_ms: timeoutMs });
      forced.resolve(ExitCode.unclean);
    }, timeoutMs);
  };
  const onStopSignal = (signal: Deno.Signal) => {
    if (stopping.signal.aborted) {
      o.log.warn("Second signal, stopping at once", { command: o.command, signal });
      forced.resolve(ExitCode.unclean);
      return;
    }
    o.log.info("Stopping", { command: o.command, signal });
    beginStop();
    stopping.abort(new DOMException(`stopped by ${signal}`, "AbortError"));
  };
  using signals = listenToSignals();
  signals.on("SIGINT", () => onStopSignal("SIGINT"));
  signals.on("SIGTERM", () => onStopSignal("SIGTERM"));
  try {
    return await Promise.race([serve(o, { notifier, stopping: stopping.signal, beginStop, signals }), forced.promise]);
  } finally {
    clearTimeout(timer);
  }
}

interface Life {
  readonly notifier: ServiceNotifier;
  readonly stopping: AbortSignal;
  readonly beginStop: () => void;
  readonly signals: SignalListeners;
}

async function serve(o: DaemonOptions, life: Life): Promise<number> {
  const service = await startUnlessStopped(o, life.stopping);
  if (service === undefined) return ExitCode.done;
  const { reload } = service;
  if (reload !== undefined) life.signals.on("SIGHUP", () => reloadService(o, () => reload.call(service)));
  life.notifier.ready(service.describe);
  o.log.info("Ready", { command: o.command });
  releaseStartupPages();
  let failure: { readonly error: unknown } | undefined;
  const closed = service.closed.then(() => "closed" as const, (error) => {
    failure = { error };
    return "closed" as const;
  });
  const first = await Promise.race([closed, aborted(life.stopping)]);
  life.beginStop();
  if (failure !== undefined) o.log.error("Service failed", { command: o.command, error: failure.error });
  if (first === "closed" && failure === undefined) return ExitCode.done;
  try {
    await service.stop();
    await closed;
  } catch (error) {
    o.log.error("Not stopped in order", { command: o.command, error });
    return failure === undefined ? ExitCode.unclean : ExitCode.failed;
  }
  if (failure !== undefined) return ExitCode.failed;
  o.log.info("Stopped", { command: o.command });
  return ExitCode.done;
}

async function startUnlessStopped(o: DaemonOptions, stopping: AbortSignal): Promise<Service | undefined> {
  try {
    return await o.start(stopping);
  } catch (error) {
    if (!stopping.aborted) throw error;
    o.log.info("Stopped while starting", { command: o.command });
    return undefined;
  }
}

function reloadService(o: DaemonOptions, reload: () => void): void {
  o.log.info("Reloading", { command: o.command });
  try {
    reload();
  } catch (error) {
    o.log.warn("Not reloaded", { command: o.command, error });
  }
}

function aborted(signal: AbortSignal): Promise<"aborted"> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve("aborted");
    else signal.addEventListener("abort", () => resolve("aborted"), { once: true });
  });
}

/** Takes NOTIFY_SOCKET away from `env` and from the process: a child that inherited it could speak in our name. */
function takeNotifySocket(env: Record<string, string>): string | undefined {
  const path = env.NOTIFY_SOCKET;
  delete env.NOTIFY_SOCKET;
  Deno.env.delete("NOTIFY_SOCKET");
  return path;
}

interface SignalListeners extends Disposable {
  on(signal: Deno.Signal, listener: () => void): void;
}

function listenToSignals(): SignalListeners {
  const added: [Deno.Signal, () => void][] = [];
  return {
    on(signal, listener) {
      Deno.addSignalListener(signal, listener);
      added.push([signal, listener]);
    },
    [Symbol.dispose]() {
      for (const [signal, listener] of added) Deno.removeSignalListener(signal, listener);
    },
  };
}
