// SPDX-License-Identifier: Apache-2.0
/** Passes one allowed upgrade on to the kubelet, over a connection of its own, and joins the two when it agrees. */

import type * as http from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { PeerctlError } from "../errors.ts";
import type { Failure } from "./forward.ts";
import { headerValue, type RawHeaders, requestHeaders, responseHeaders } from "./forwarded_headers.ts";
import { splice } from "./splice.ts";
import type { Upstream } from "./upstream.ts";

/** Longest answer other than 101 that is passed on, in bytes: it is an error message. */
const MAX_ERROR_BYTES = 1 << 20;

export interface ForwardUpgradeOptions {
  readonly client: TLSSocket;
  /** What the client sent behind its request; it goes on only when the kubelet has agreed. */
  readonly head: Uint8Array;
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: RawHeaders;
  readonly upstream: Upstream;
  readonly responseTimeoutMs: number;
  readonly idleMs: number;
  /** The kubelet has agreed. */
  onOpen(kubelet: Socket): void;
}

export interface Upgraded {
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly failure?: Failure;
}

/** Resolves when the stream has ended; the client's socket is closed then, unless an unanswered failure is returned. */
export async function forwardUpgrade(o: ForwardUpgradeOptions): Promise<Upgraded> {
  const { client } = o;
  const gone = new AbortController();
  const onGone = () => gone.abort();
  client.once("close", onGone);
  try {
    return await exchange(o, gone.signal);
  } catch (error) {
    if (client.destroyed) return { status: 0, bytesIn: 0, bytesOut: 0 };
    const isLate = error instanceof PeerctlError && error.kind === "timeout";
    const failure: Failure = { kind: isLate ? "timeout" : "unreachable", error, isUnanswered: true };
    return { status: 0, bytesIn: 0, bytesOut: 0, failure };
  } finally {
    client.off("close", onGone);
  }
}

async function exchange(o: ForwardUpgradeOptions, gone: AbortSignal): Promise<Upgraded> {
  const { client } = o;
  const socket = await o.upstream.dial(gone);
  const wanted = headerValue(o.rawHeaders, "upgrade") ?? "";
  const answered = await ask(o, socket, wanted, gone);
  const { message } = answered;
  if (answered.kind === "other") return await passAnswer(client, message, socket);
  if ((headerValue(message.rawHeaders, "upgrade") ?? "").toLowerCase() !== wanted.toLowerCase()) {
    socket.destroy();
    throw new PeerctlError("peer", "the kubelet changed to another protocol than the one asked for");
  }
  const head = headText(101, "Switching Protocols", [
    "Connection",
    "Upgrade",
    "Upgrade",
    wanted,
    ...responseHeaders(message.rawHeaders),
  ]);
  client.setNoDelay(true);
  client.allowHalfOpen = true;
  socket.allowHalfOpen = true;
  client.write(head, "latin1");
  if (answered.head.byteLength > 0) client.write(answered.head);
  if (o.head.byteLength > 0) socket.write(o.head);
  o.onOpen(socket);
  const { fromClient, fromKubelet } = await splice(client, socket, { idleMs: o.idleMs });
  return {
    status: 101,
    bytesIn: fromClient + o.head.byteLength,
    bytesOut: fromKubelet + answered.head.byteLength,
  };
}

type Answered =
  | { readonly kind: "upgrade"; readonly message: http.IncomingMessage; readonly head: Uint8Array }
  | { readonly kind: "other"; readonly message: http.IncomingMessage };

function ask(o: ForwardUpgradeOptions, socket: TLSSocket, wanted: string, gone: AbortSignal): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const { method, target } = o;
  const request = o.upstream.requestAlone({
    method,
    path: target,
    headers: [
      ...requestHeaders(o.rawHeaders),
      "Connection",
      "Upgrade",
      "Upgrade",
      wanted,
      ...(method === "POST" ? ["Content-Length", "0"] : []),
    ],
  }, socket);
  const timer = setTimeout(() => {
    request.destroy(
      new PeerctlError("timeout", `the kubelet did not answer within ${o.responseTimeoutMs} ms`),
    );
  }, o.responseTimeoutMs);
  const abort = () => request.destroy(new PeerctlError("closed", "the client has gone"));
  gone.addEventListener("abort", abort);
  request.on("error", reject);
  request.on("upgrade", (message: http.IncomingMessage, _socket: Socket, head: Uint8Array) => {
    resolve({ kind: "upgrade", message, head });
  });
  request.on("response", (message: http.IncomingMessage) => resolve({ kind: "other", message }));
  request.end();
  return promise.finally(() => {
    clearTimeout(timer);
    gone.removeEventListener("abort", abort);
  });
}

/** The kubelet said no: its answer is passed on, and the connection closed, so that nothing can follow. */
async function passAnswer(client: TLSSocket, message: http.IncomingMessage, socket: TLSSocket): Promise<Upgraded> {
  const status = message.statusCode ?? 502;
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > MAX_ERROR_BYTES) throw new PeerctlError("limit", "the kubelet's refusal of an upgrade is too long");
      chunks.push(chunk);
    }
  } finally {
    socket.destroy();
  }
  const headers = responseHeaders(message.rawHeaders);
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== "content-length") kept.push(headers[i]!, headers[i + 1]!);
  }
  client.write(
    headText(status, message.statusMessage ?? "", [...kept, "Content-Length", String(length), "Connection", "close"]),
    "latin1",
  );
  for (const chunk of chunks) client.write(chunk);
  client.end();
  client.destroySoon();
  return { status, bytesIn: 0, bytesOut: length };
}

/** Values come from llhttp, which lets no line break through. */
function headText(status: number, message: string, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${message}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}
