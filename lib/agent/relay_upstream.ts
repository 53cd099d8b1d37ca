// SPDX-License-Identifier: Apache-2.0
/** Dials the forwarder of one pod VM and finds out whether the agent behind it answers. */

import type { Duplex } from "node:stream";
import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { retry } from "../net/retry.ts";
import { dialTcp } from "../net/tcp.ts";
import { classifyTlsError, createTlsDialer, type TlsClientOptions, type TlsCredentials } from "../net/tls.ts";
import { createTtrpcClient } from "../ttrpc/client.ts";
import { Code, RpcError } from "../ttrpc/status.ts";

/** How long one dial, TLS handshake included, may take, in milliseconds. */
const DIAL_TIMEOUT_MS = 10_000;

/** How long one health check may take, in milliseconds: what the Go shim allows (kata agent client, checkRequestTimeout). */
const CHECK_TIMEOUT_MS = 30_000;

/** First and longest pause between two tries, in milliseconds; five seconds is cloud-api-adaptor's (pkg/adaptor/proxy). */
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/** Answers to a health check that another try cannot better: the peer is no agent, or it refuses us. */
const HOPELESS_CODES: readonly number[] = [
  Code.unimplemented,
  Code.invalidArgument,
  Code.permissionDenied,
  Code.unauthenticated,
];

export interface UpstreamOptions {
  readonly host: string;
  readonly port: number;
  /** Absent: plain TCP. */
  readonly tls?: TlsClientOptions | undefined;
  readonly log: Logger;
}

export interface Upstream {
  readonly usesTls: boolean;
  /** Opens one connection; tries once. */
  dial(signal: AbortSignal): Promise<Duplex>;
  /**
   * Resolves once the agent has answered a health check over a connection of its own, which is closed again.
   *
   * @throws {PeerctlError} kind "auth" at once when either side refuses the other, "timeout" with the last cause when
   * the pod VM was not reached in time, "closed" when `signal` aborts; {RpcError} for an answer that is hopeless.
   */
  check(o: { timeoutMs: number; signal: AbortSignal }): Promise<void>;
  /** Takes effect with the next connection. */
  update(credentials: TlsCredentials): void;
}

/** Prepares the way to one forwarder; nothing is dialled yet, but unusable credentials are refused here. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { host, port, log } = options;
  const where = `${host}:${port}`;
  const tlsDialer = options.tls && createTlsDialer(options.tls);

  function dial(signal: AbortSignal, timeoutMs = DIAL_TIMEOUT_MS): Promise<Duplex> {
    const target = { host, port, signal, timeoutMs };
    return tlsDialer ? tlsDialer.dial(target) : dialTcp(target);
  }

  async function checkOnce(remainingMs: number, signal: AbortSignal): Promise<void> {
    const connection = await dial(signal, Math.min(remainingMs, DIAL_TIMEOUT_MS));
    const client = createTtrpcClient(connection);
    try {
      const timeoutMs = Math.min(remainingMs, CHECK_TIMEOUT_MS);
      await client.call("grpc.Health", "Check", new Uint8Array(), { timeoutMs, signal });
    } catch (error) {
      throw explainCheckFailure(error, where, tlsDialer !== undefined);
    } finally {
      client.close();
    }
  }

  return {
    usesTls: tlsDialer !== undefined,
    dial: (signal) => dial(signal),
    check({ timeoutMs, signal }) {
      const deadline = performance.now() + timeoutMs;
      return retry(() => checkOnce(Math.max(deadline - performance.now(), 1), signal), {
        signal,
        timeoutMs,
        firstDelayMs: FIRST_PAUSE_MS,
        maxDelayMs: MAX_PAUSE_MS,
        isFatal,
        onRetry(error, attempt) {
          const fields = { peer: where, attempt, error: toPeerctlError(error).message };
          if (attempt === 1) log.info("Pod VM not reachable yet", fields);
          else log.debug("Pod VM not reachable yet", fields);
        },
      });
    },
    update: (credentials) => tlsDialer?.update(credentials),
  };
}

function isFatal(error: unknown): boolean {
  if (error instanceof RpcError) return HOPELESS_CODES.includes(error.code);
  return error instanceof PeerctlError && (error.kind === "auth" || error.kind === "config");
}

function explainCheckFailure(error: unknown, where: string, isTls: boolean): Error {
  const what = `Cannot reach the agent behind ${where}`;
  if (error instanceof RpcError) {
    if (error.code === Code.deadlineExceeded) {
      return new PeerctlError("timeout", `${what}: it did not answer a health check in time`, { cause: error });
    }
    return new RpcError(error.code, `${what}: it answered a health check with "${error.message}"`, { cause: error });
  }
  const known = toPeerctlError(error);
  if (known.kind !== "closed") return known;
  // With TLS 1.3 a client certificate is refused after the handshake looked done: the refusal arrives here.
  const refusal = isTls && known.cause !== undefined ? classifyTlsError(known.cause) : undefined;
  if (refusal?.kind === "auth") return refusal;
  return new PeerctlError("peer", `${what}: the connection ended before it answered a health check`, {
    hint: "the forwarder may wait for its agent; if this goes on, look at both in the pod VM",
    cause: error,
  });
}
