// SPDX-License-Identifier: Apache-2.0
/** One control connection from caa to one relay, from the first greeting to its end. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ErrorKind, PeerctlError, toPeerctlError } from "../errors.ts";
import { isNobodyThere } from "../net/nobody_there.ts";
import { dialUnix } from "../net/unix_socket.ts";
import type { TlsCredentials } from "../net/tls.ts";
import { type HelloResponse, type OpenRequestSchema, Relay, type Sandbox } from "../proto/gen/relay_pb.ts";
import { createTtrpcClient } from "../ttrpc/client.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import { typedClient } from "../ttrpc/typed.ts";
import { openTimeoutMs } from "./relay_open_request.ts";
import { RELAY_PROTOCOL } from "./relay_protocol.ts";
import { relaySlotPaths } from "./relay_slot.ts";

/** How long a relay may take to accept and to greet, in milliseconds: it has nothing to do for it. */
const HELLO_TIMEOUT_MS = 5_000;

/** How long any other call but `open` may take, in milliseconds. */
const CALL_TIMEOUT_MS = 15_000;

/** What `open` may take beyond the time it was given to try, in milliseconds. */
const OPEN_SLACK_MS = 60_000;

/** A sandbox to open. */
export type OpenInit = MessageInitShape<typeof OpenRequestSchema> & { readonly sandboxId: string };

export interface RelayClient {
  readonly slot: string;
  /** What the relay said of itself when it was first met. */
  readonly hello: HelloResponse;
  /**
   * Resolves once the agent has answered over the new path. The relay gives up when this connection ends; aborting
   * `signal` only stops the waiting, so a caller that gives up calls `close` as well.
   */
  open(sandbox: OpenInit, signal: AbortSignal): Promise<void>;
  close(sandboxId: string): Promise<boolean>;
  /** How many sandboxes took the credentials; "" stands for all. */
  update(sandboxId: string, credentials: TlsCredentials): Promise<number>;
  list(): Promise<Sandbox[]>;
  /** What it says of one sandbox; undefined when it does not have it. */
  find(sandboxId: string): Promise<Sandbox | undefined>;
  /** What the relay says of itself now: whether it drains, how many sandboxes it has. */
  greet(): Promise<HelloResponse>;
  /** Makes it take no new sandboxes and end with its last one; returns how many are left. */
  drain(): Promise<number>;
  /** Resolves when the connection has ended, which a relay in order does only when it ends itself. */
  readonly closed: Promise<void>;
  disconnect(): void;
}

/**
 * Connects to the relay of one slot and greets it.
 *
 * @returns undefined when no relay is there.
 * @throws {PeerctlError} when there is one that does not answer, or that speaks another protocol (kind "state").
 */
export async function connectRelay(
  o: { dir: string; slot: string; build: string; signal?: AbortSignal },
): Promise<RelayClient | undefined> {
  const { slot, build, signal } = o;
  const path = relaySlotPaths(o.dir, slot).controlSocket;
  let socket;
  try {
    socket = await dialUnix(path, { timeoutMs: HELLO_TIMEOUT_MS, ...(signal && { signal }) });
  } catch (error) {
    if (isNobodyThere(error)) return undefined;
    throw error;
  }
  const connection = createTtrpcClient(socket);
  const relay = typedClient(Relay, connection);
  let hello: HelloResponse;
  try {
    hello = await relay.hello({ protocol: RELAY_PROTOCOL, build }, {
      timeoutMs: HELLO_TIMEOUT_MS,
      ...(signal && { signal }),
    });
    if (hello.protocol !== RELAY_PROTOCOL) {
      const theirs =
        `it speaks control protocol ${hello.protocol} (build ${hello.build}), this build ${RELAY_PROTOCOL}`;
      throw new PeerctlError("state", `Cannot use relay ${slot}: ${theirs}`, {
        hint: "its sandboxes go on; another relay takes the new ones",
      });
    }
  } catch (error) {
    connection.close();
    await connection.closed;
    // A relay that is just ending has not been there.
    if (error instanceof PeerctlError && error.kind === "closed") return undefined;
    if (error instanceof PeerctlError) throw error;
    throw new PeerctlError("peer", `Cannot use relay ${slot}: ${toPeerctlError(error).message}`, { cause: error });
  }
  const options = { timeoutMs: CALL_TIMEOUT_MS };
  return {
    slot,
    hello,
    async open(sandbox, signal) {
      const timeoutMs = openTimeoutMs(sandbox.timeoutMs) + OPEN_SLACK_MS;
      await relay.open(sandbox, { timeoutMs, signal }).catch(rethrow);
    },
    close: async (sandboxId) => (await relay.close({ sandboxId }, options).catch(rethrow)).known,
    async update(sandboxId, { ca = "", cert = "", key = "" }) {
      const request = { sandboxId, caPem: ca, certPem: cert, keyPem: key };
      return (await relay.update(request, options).catch(rethrow)).updated;
    },
    async find(sandboxId) {
      const { sandboxes } = await relay.list({ sandboxId }, options).catch(rethrow);
      return sandboxes.find((one) => one.sandboxId === sandboxId);
    },
    list: async () => (await relay.list({}, options).catch(rethrow)).sandboxes,
    greet: () => relay.hello({ protocol: RELAY_PROTOCOL, build }, options).catch(rethrow),
    drain: async () => (await relay.drain({}, options).catch(rethrow)).sandboxes,
    closed: connection.closed.then(() => {}),
    disconnect: () => connection.close(),
  };
}

const kindOfCode = new Map<number, ErrorKind>([
  [Code.cancelled, "closed"],
  [Code.invalidArgument, "config"],
  [Code.deadlineExceeded, "timeout"],
  [Code.alreadyExists, "state"],
  [Code.failedPrecondition, "state"],
  [Code.resourceExhausted, "limit"],
  [Code.unauthenticated, "auth"],
]);

/** Throws a relay's answer as the error it was there, its code kept in the cause; anything else as it is. */
function rethrow(error: unknown): never {
  if (!(error instanceof RpcError)) throw error;
  throw new PeerctlError(kindOfCode.get(error.code) ?? "peer", error.message, { cause: error });
}

/** True when a call failed because the relay was gone, so that another relay may be asked instead. */
export function isRelayGone(error: unknown): boolean {
  if (!(error instanceof PeerctlError)) return false;
  const answered = error.cause instanceof RpcError;
  return answered ? (error.cause as RpcError).code === Code.unavailable : error.kind === "closed";
}
