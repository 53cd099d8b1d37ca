// SPDX-License-Identifier: Apache-2.0
/** Waits for a socket to be connected, with a deadline, a signal, and words for what went wrong. */

import type * as net from "node:net";
import { PeerctlError } from "../errors.ts";

export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  /** In milliseconds, for everything until the socket can be used. */
  readonly timeoutMs?: number | undefined;
}

/** What an operating-system error means here; each of them can pass, so each is worth another try. */
export const PEER_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the peer broke the connection off",
  EPIPE: "the peer broke the connection off",
  EHOSTUNREACH: "there is no way to that host",
  EHOSTDOWN: "that host is down",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "the peer does not answer",
  EADDRNOTAVAIL: "no local address or port is left to dial from",
  EAGAIN: "the peer does not accept connections fast enough",
  ENOENT: "there is no such socket",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the name server does not answer",
};

/** Says why, in a few words. */
export function describeFailure(error: NodeJS.ErrnoException): string {
  return PEER_FAILURES[error.code ?? ""] ?? error.message;
}

/**
 * Resolves with `socket` at `event`; in every other case the socket is destroyed first.
 *
 * @param what begins the message of an error: `Cannot connect to 192.0.2.1:15150`.
 * @param explain makes an error of the socket's own failure; kind "peer" if absent.
 */
export async function whenConnected<S extends net.Socket>(
  socket: S,
  event: "connect" | "secureConnect",
  o: ConnectOptions,
  what: string,
  explain = (error: Error): PeerctlError =>
    new PeerctlError("peer", `${what}: ${describeFailure(error)}`, { cause: error }),
): Promise<S> {
  let failure: Error | undefined;
  handOut(socket).once("error", (error) => failure = error);
  await firstEvent(socket, event, o, what);
  // The runtime may emit 'error' after the event and before what awaits it runs (measured with a TLS alert): no listener
  // of the caller's could have seen it.
  failure ??= socket.errored ?? (socket.destroyed ? new Error("the connection was closed") : undefined);
  if (failure === undefined) return socket;
  socket.destroy();
  throw explain(failure);
}

/** Resolves at `event`, 'error' and 'close'; rejects, with the socket destroyed, at the deadline and on abort. */
function firstEvent(
  socket: net.Socket,
  event: string,
  { signal, timeoutMs }: ConnectOptions,
  what: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off(event, done).off("error", done).off("close", done);
    };
    const done = () => {
      settle();
      resolve();
    };
    const giveUp = (error: PeerctlError) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => giveUp(new PeerctlError("closed", `${what}: cancelled`, { cause: signal?.reason }));
    socket.once(event, done).once("error", done).once("close", done);
    if (timeoutMs !== undefined) {
      const onTimeout = () => giveUp(new PeerctlError("timeout", `${what}: no connection within ${timeoutMs} ms`));
      timer = setTimeout(onTimeout, timeoutMs);
    }
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
  });
}

/**
 * Makes a socket safe to hand to someone: an 'error' that comes before its new owner listens would end the process.
 * Nothing is lost, for 'close' follows and `socket.errored` keeps the reason.
 */
export function handOut<S extends net.Socket>(socket: S): S {
  return socket.on("error", ignore);
}

function ignore(): void {}
